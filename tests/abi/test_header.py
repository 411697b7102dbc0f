#!/usr/bin/python3
"""The public header for programs that are not built like ours: test_header.py c|cxx INCLUDE_DIR

c: as strict C99 and C11, with gcc and clang. cxx: as C++, from C++98 on, with g++ and clang++.
Every macro is used, and the entry point is defined, so that a mistake in a macro counts too.
Exit status 77, with the reason: no such compiler here.
"""

import shutil
import subprocess
import sys
import tempfile

FLAGS = ["-fsyntax-only", "-pedantic", "-Wall", "-Wextra", "-Wundef", "-Wcast-qual", "-Werror"]
PROGRAM = """
#include <mptcpize/plugin.h>
#include <mptcpize/plugin.h>

static int decide(void *state, const struct mptcpize_view *view, const struct mptcpize_event *event,
                  struct mptcpize_sink *sink) {
        (void)state;
        (void)event;
        return MPTCPIZE_HAS(view, struct mptcpize_view, n_subflows) &&
               MPTCPIZE_HAS(sink, struct mptcpize_sink, emit);
}

const struct mptcpize_plugin *mptcpize_plugin(void) {
        static struct mptcpize_plugin plugin;
        mptcpize_plugin_fn self = mptcpize_plugin;

        plugin.size = sizeof(plugin);
        plugin.abi = MPTCPIZE_ABI;
        plugin.name = self ? MPTCPIZE_PLUGIN_SYMBOL : "";
        plugin.decide = decide;
        return &plugin;
}
"""
LANGUAGES = {
    "c": (".c", ["-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes"],
          ("gcc", "clang"), ("c99", "c11")),
    # No -Wshadow: the function has the name of the structure that it returns. C++98 has no long
    # long, which <stdint.h> needs.
    "cxx": (".cc", ["-Wno-long-long"], ("g++", "clang++"), ("c++98", "c++11", "c++17", "c++20")),
}


def compiles(compiler, standard, flags, include, path):
    done = subprocess.run([compiler, f"-std={standard}", *FLAGS, *flags, "-I", include, path],
                          stderr=subprocess.PIPE, text=True, check=False)
    print(f"{'ok' if done.returncode == 0 else 'FAIL'}: {compiler} -std={standard}\n{done.stderr}",
          end="")
    return done.returncode == 0


def main(language, include):
    suffix, flags, known, standards = LANGUAGES[language]
    compilers = [name for name in known if shutil.which(name)]
    if not compilers:
        print(f"SKIP: none of {', '.join(known)} is installed")
        return 77
    with tempfile.NamedTemporaryFile("w", suffix=suffix) as file:
        file.write(PROGRAM)
        file.flush()
        results = [compiles(compiler, standard, flags, include, file.name)
                   for compiler in compilers for standard in standards]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
