"""Chromium, headless, in its sandbox, by a user who is not root."""

from apps.case import DATA, SIZE, case, file, folder
from apps.web import PLAIN_SERVER
from harness import check
from lab import command
from programs import nginx_argv

PAGE = """<!DOCTYPE html><title>lab</title><body><p id="hash">nothing yet</p><script>
const request = new XMLHttpRequest();
request.open("GET", "data", false);
request.overrideMimeType("text/plain; charset=x-user-defined");
request.send();
let sum = 0;
for (let i = 0; i < request.responseText.length; i++)
  sum = (sum * 31 + (request.responseText.charCodeAt(i) & 255)) % 4294967291;
document.getElementById("hash").textContent = request.responseText.length + " bytes, " + sum;
</script></body>
"""


def checksum():
    total = 0
    with open(DATA, "rb") as data:
        for byte in data.read():
            total = (total * 31 + byte) % 4294967291
    return total


@case("chromium", "nginx", full=True, sanitized=False, connections=None)
def test_chromium_page_with_script_uses_both_paths(run):
    """A page whose script gets the file and writes its length and sum into the page."""
    file("www/page.html", PAGE)
    run.serve(nginx_argv(PLAIN_SERVER.replace("root", "types { text/html html; } root")), 80)
    text = run.client(["chromium", "--headless", "--disable-gpu", "--dump-dom",
                       "--disable-background-networking", "--no-first-run",
                       "--disable-dev-shm-usage",
                       f"--user-data-dir={folder(f'chromium{run.mode.server:d}', 'nobody')}",
                       f"http://{run.address}/page.html"], user="nobody")
    check(f"{SIZE} bytes, {checksum()}" in text, "the page has length and sum of the file")
