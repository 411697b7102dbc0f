"""rsync, git and vsftpd."""

import os
import shutil

from apps.case import DATA, SIZE, case, check_same, file, folder, path
from apps.web import MODULES
from harness import check_equal
from lab import command

RSYNC_CONF = """use chroot = no
uid = root
gid = root
[lab]
path = {0}
read only = no
"""
GIT_CONF = """ServerRoot {root}
ServerName lab
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule env_module {modules}/mod_env.so
LoadModule cgid_module {modules}/mod_cgid.so
ScriptSock {root}/cgid
Listen 80
User www-data
Group www-data
PidFile {root}/pid
ErrorLog /dev/stderr
LogLevel error
SetEnv GIT_PROJECT_ROOT {repositories}
SetEnv GIT_HTTP_EXPORT_ALL 1
SetEnv GIT_CONFIG_COUNT 1
SetEnv GIT_CONFIG_KEY_0 safe.directory
SetEnv GIT_CONFIG_VALUE_0 *
ScriptAlias /git/ /usr/lib/git-core/git-http-backend/
<Directory /usr/lib/git-core>
  Require all granted
</Directory>
"""
VSFTPD_CONF = """listen=YES
background=NO
anonymous_enable=YES
local_enable=NO
no_anon_password=YES
anon_root={root}
write_enable=YES
anon_upload_enable=YES
secure_chroot_dir={empty}
seccomp_sandbox=NO
xferlog_enable=NO
"""


@case("rsync", connections=2)
def test_rsync_daemon_both_ways_uses_both_paths(run):
    """The file to the daemon's directory, and back."""
    work = folder("rsync")
    there, back = f"{work}/there", path("rsync-back")
    conf = file("rsyncd.conf", RSYNC_CONF.format(work))
    run.serve(["rsync", "--daemon", "--no-detach", f"--config={conf}", "--log-file=/dev/stderr"],
              873)
    run.client(["rsync", "--archive", DATA, f"rsync://{run.address}/lab/there"])
    run.client(["rsync", "--archive", f"rsync://{run.address}/lab/there", back])
    check_same(there)
    check_same(back)


def repository():
    """A bare repository that has the file, and a git that reads no configuration of the host."""
    bare = folder("git/lab.git")
    if not os.listdir(bare):
        source = folder("git-source")
        shutil.copy(DATA, source)
        os.environ.update(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null",
                          GIT_AUTHOR_NAME="lab", GIT_AUTHOR_EMAIL="lab@example.org",
                          GIT_COMMITTER_NAME="lab", GIT_COMMITTER_EMAIL="lab@example.org")
        for argv in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "data"],
                     ["clone", "-q", "--bare", source, bare]):
            command("git", "-C", source, *argv)
    return bare


@case("git", "apache2", full=True)
def test_git_clone_over_http_uses_both_paths(run):
    """git clone from git http-backend behind apache2."""
    repository()
    conf = GIT_CONF.format(root=folder("apache2"), modules=MODULES, repositories=path("git"))
    run.serve(["apache2", "-DFOREGROUND", "-f", file("git.conf", conf)], 80)
    clone = path("clone")
    run.client(["git", "clone", "-q", f"http://{run.address}/git/lab.git", clone])
    check_same(f"{clone}/data")
    shutil.rmtree(clone)


@case("git", full=True, connections=2)
def test_git_daemon_push_and_clone_uses_both_paths(run):
    """A branch with new data pushed to git daemon, and cloned from it."""
    repository()
    run.serve(["git", "daemon", f"--base-path={path('git')}", "--export-all",
               "--enable=receive-pack", "--reuseaddr"], 9418)
    source, clone, branch = path("git-source"), path("clone"), f"b{run.mode.server:d}"
    more = file("git-source/more", os.urandom(SIZE // 4).hex())
    for argv in (["checkout", "-q", "-B", branch], ["add", "."], ["commit", "-q", "-m", "more"]):
        command("git", "-C", source, *argv)
    url = f"git://{run.address}/lab.git"
    run.client(["git", "-C", source, "push", "-q", url, branch])
    run.client(["git", "clone", "-q", "--branch", branch, url, clone])
    check_same(f"{clone}/data")
    check_same(f"{clone}/more", more)
    shutil.rmtree(clone)


# It limits its own address space, which is too little for a sanitizer.
@case("vsftpd", "curl", sanitized=False, connections=4, demoted=2, spread=False)
def test_vsftpd_passive_transfers_are_right(run):
    """curl by FTP, passive: the server binds each data socket to one address, so it stays TCP."""
    vsftpd(run)
    url = f"ftp://{run.address}"
    run.fetch(f"{url}/data")
    run.client(["curl", "--silent", "--show-error", "--upload-file", DATA, f"{url}/upload/data"])
    check_same(path("ftp/upload/data"))


@case("vsftpd", "lftp", sanitized=False, spread=False)
def test_vsftpd_active_transfers_are_right(run):
    """lftp, active: sockets bound to one address on both sides; only the control one is MPTCP."""
    vsftpd(run)
    got = path("lftp")
    run.client(["lftp", "-e", f"set net:max-retries 1; set ftp:passive-mode no; get data -o "
                f"{got}; put {DATA} -o upload/data; bye", run.address])
    check_same(got)
    check_same(path("ftp/upload/data"))


def vsftpd(run):
    """Anonymous users may read the file and write to a directory."""
    root = folder("ftp")
    folder("ftp/upload", "ftp")
    if not os.path.exists(f"{root}/data"):
        shutil.copy(DATA, root)
    conf = VSFTPD_CONF.format(root=root, empty=folder("empty"))
    run.serve(["vsftpd", file("vsftpd.conf", conf)], 21)
