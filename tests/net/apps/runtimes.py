"""Languages with network code of their own: Python, Node.js, Java."""

from apps.case import DATA, SIZE, beside, case
from harness import check, check_equal
from lab import command


def digest():
    return command("sha256sum", DATA).split()[0]


@case("/usr/bin/python3")
def test_python_http_server_uses_both_paths(run):
    """http.server, and urllib that asks for the file."""
    run.serve(["/usr/bin/python3", "-m", "http.server", "8000", "--directory",
               DATA.rsplit("/", 1)[0]], 8000)
    answer = run.client(["/usr/bin/python3", "-c", "import hashlib, sys, urllib.request\n"
                         "print(hashlib.sha256(urllib.request.urlopen(sys.argv[1]).read())"
                         ".hexdigest())", f"http://{run.address}:8000/data"])
    check_equal(answer.strip(), digest(), "hash of the file")


@case("/usr/bin/python3", connections=3)
def test_python_asyncio_uses_both_paths(run):
    """asyncio on both ends: three clients at once get back what they send."""
    program = beside("echo_asyncio.py")
    run.serve(["/usr/bin/python3", program, "serve"], 8000)
    answer = run.client(["/usr/bin/python3", program, run.address, DATA, "3"])
    check_equal(answer.split(), [digest()] * 3, "hashes of what came back")


@case("node", full=True, connections=2)
def test_node_http_uses_both_paths(run):
    """node:http on both ends: the file is posted and comes back, by an agent and without."""
    program = beside("echo.js")
    run.serve(["node", program, "serve"], 8000)
    answer = run.client(["node", program, run.address, DATA])
    check_equal(answer.split(), [digest()] * 3, "hashes of what came back")


@case("java", full=True, connections=2)
def test_java_http_and_socket_use_both_paths(run):
    """HttpServer and HttpClient; a Socket with urgent data inline, empty at the end of file."""
    program = beside("Echo.java")
    run.serve(["java", program, "serve"], 8000)
    answer = run.client(["java", program, run.address, DATA])
    check_equal(answer.split(), [digest(), "true", str(SIZE), "0"],
                "hash, OOBInline, length, and what is available at the end of file")
