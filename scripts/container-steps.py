#!/usr/bin/env python3
"""Executes the steps of infra/container/Containerfile in a clean directory, without a container engine.

  container-steps.py [--profile dev] [--programs DIR]

What the build stages copy and run is executed with the tools of this machine; --programs takes `runnel` and `bootstrap` from there
instead of building them. The image is then put together in a directory, with the libraries and certificates that its base has, and started in it as
the engine would: root directory changed, read-only, as its user, with its entrypoint, until its health check says yes and its stop
signal ends it. Base images cannot be fetched here: that they have what is expected is what this does not show.
"""

import argparse
import fnmatch
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE = ROOT / "infra/container/Containerfile"
# What the base image has, and Runnel needs.
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
LIBRARIES = re.compile(r"(/\S+\.so\S*)")
HEALTH_TRIES, HEALTH_SECONDS = 300, 0.1
STOP_SECONDS = 40


def say(text):
    print(text, flush=True)


def instructions():
    text = re.sub(r"(?m)^\s*#.*\n", "", FILE.read_text())
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            name, rest = line.split(None, 1)
            yield name.upper(), rest.strip()


def stages():
    """The instructions of each stage, by its name."""
    found = {}
    for name, rest in instructions():
        if name == "FROM":
            words = rest.split()
            current = found[words[words.index("AS") + 1]] = []
        current.append((name, rest))
    return found


def is_sent(path, rules):
    """Whether the file goes to the engine, as the last matching rule says."""
    sent = True
    for rule in rules:
        pattern = rule.lstrip("!").removeprefix("**/")
        parents = ["/".join(path.split("/")[: n + 1]) for n in range(path.count("/") + 1)]
        if any(fnmatch.fnmatch(parent, pattern) for parent in parents):
            sent = rule.startswith("!")
        elif rule.startswith("**/") and pattern in path.split("/"):
            sent = False
    return sent


def make_context(context):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    lines = FILE.with_name("Containerfile.dockerignore").read_text().splitlines()
    rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for path in filter(None, listed.split("\0")):
        if is_sent(path, rules) and (ROOT / path).is_file():
            target = context / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target)


class Stage:
    """One stage that is executed with the tools of this machine."""

    def __init__(self, name, directory, arguments):
        self.name, self.root, self.workdir = name, directory / name, "/"
        self.root.mkdir()
        self.variables, self.arguments, self.meta = {}, arguments, {}

    def place(self, path):
        return self.root / os.path.join(self.workdir, path).lstrip("/")

    def copy(self, rest, context, others, programs):
        words = [word for word in rest.split() if not word.startswith("--")]
        source = context
        if match := re.search(r"--from=(\w+)", rest):
            if programs and match[1] == "build":
                return self.take(words, programs)
            source = others[match[1]].root
        target = self.place(words[-1])
        for word in words[:-1]:
            found = source / word.lstrip("/")
            if found.is_dir():
                shutil.copytree(found, target, dirs_exist_ok=True, symlinks=True)
            else:
                is_directory = words[-1].endswith("/") or words[-1] == "." or target.is_dir()
                into = target / found.name if is_directory else target
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, into)

    def take(self, words, programs):
        target, found = self.place(words[-1]), programs / pathlib.Path(words[0]).name
        target.parent.mkdir(parents=True, exist_ok=True)
        if pathlib.Path(words[0]).name == "data":
            target.mkdir()
        else:
            shutil.copy2(found, target)

    def run(self, command):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "npm_config_registry") if name in os.environ}
        say(f"  RUN {command}")
        subprocess.run(["sh", "-euc", command], cwd=self.place("."), env={**kept, **self.variables}, check=True)

    def execute(self, steps, context, others, programs):
        for name, rest in steps:
            if name == "WORKDIR":
                self.workdir = rest
                self.place(".").mkdir(parents=True, exist_ok=True)
            elif name == "COPY":
                self.copy(rest, context, others, programs)
            elif name == "RUN":
                self.run(rest)
            elif name == "ARG":
                key, _, value = rest.partition("=")
                self.variables[key] = self.arguments.get(key, value)
            elif name == "ENV":
                self.variables.update(word.split("=", 1) for word in shlex.split(rest))
            elif name != "FROM":
                self.meta[name] = rest


def words_of(text):
    """An exec form: `["a", "b"]`."""
    return re.findall(r'"([^"]*)"', text[text.index("[") :])


def add_base(stage):
    program = stage.root / "usr/local/bin/runnel"
    for library in LIBRARIES.findall(subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout):
        target = stage.root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(library), target)
    if os.path.exists(CERTIFICATES):
        certificates = stage.root / CERTIFICATES.lstrip("/")
        certificates.parent.mkdir(parents=True)
        shutil.copyfile(CERTIFICATES, certificates)
    for directory in ("tmp", "dev", "proc", "var/lib/runnel"):
        (stage.root / directory).mkdir(parents=True, exist_ok=True)


def start(stage, user):
    """The shell that makes a read-only root of the directory and starts what follows in it, in namespaces of its own."""
    root = stage.root
    prepare = (
        f"mount --bind {root} {root} && mount -o remount,bind,ro {root} && mount -t tmpfs none {root}/var/lib/runnel && "
        f"chown {user} {root}/var/lib/runnel && mount --rbind /dev {root}/dev && "
    )
    uid, gid = user.split(":")
    enter = f"exec chroot --userspec={uid}:{gid} {root} "
    return lambda words: ["unshare", "--mount", "sh", "-ec", prepare + enter + shlex.join(words)]


def check(stage, port):
    meta, user = stage.meta, stage.meta["USER"]
    assert user.split(":")[0] not in ("0", "root"), "the image must not run as root"
    assert "[" in meta["HEALTHCHECK"] and "[" in meta["ENTRYPOINT"], "without a shell only the exec form works"
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        return say("the image was not started: changing the root directory needs root here")
    inside, entry, default = start(stage, user), words_of(meta["ENTRYPOINT"]), words_of(meta["CMD"])
    variables = {**stage.variables, "RUNNEL_LISTEN": f"127.0.0.1:{port}", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    subprocess.run(inside([*entry, "version"]), env=variables, check=True)
    assert subprocess.run(inside(["/bin/sh", "-c", "true"]), env=variables, capture_output=True).returncode != 0, "there is a shell"
    # SQLite and the queue in the process: what the image needs is the same, and nothing else has to run
    server = {**variables, "RUNNEL_DATABASE_URL": "sqlite:///var/lib/runnel/runnel.db?mode=rwc", "RUNNEL_QUEUE": "embedded"}
    process = subprocess.Popen(inside([*entry, *default]), env=server)
    try:
        health = words_of(meta["HEALTHCHECK"])
        for _ in range(HEALTH_TRIES):
            asked = subprocess.run(inside(health), env=variables, capture_output=True, text=True)
            if asked.returncode == 0:
                break
            assert process.poll() is None, "the server ended"
            time.sleep(HEALTH_SECONDS)
        else:
            raise AssertionError(f"the health check never said yes: {asked.stderr}")
        owner = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        assert f"Uid:\t{user.split(':')[0]}\t" in owner, owner
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0, "the stop signal did not end it well"
    finally:
        process.kill()
    say(f"the image started read-only as {user}, was healthy, and stopped on {meta['STOPSIGNAL']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="release")
    parser.add_argument("--programs", type=pathlib.Path)
    parser.add_argument("--port", type=int, default=17420)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="runnel-image-") as directory:
        directory = pathlib.Path(directory)
        directory.chmod(0o755)
        context = directory / "context"
        make_context(context)
        done = {}
        for name, steps in stages().items():
            if name == "shell-worker" or (given.programs and name in ("web", "build")):
                say(f"stage {name}: not executed; {'its base has to be fetched' if name == 'shell-worker' else 'its programs were given'}")
                continue
            say(f"stage {name}")
            done[name] = Stage(name, directory, {"PROFILE": given.profile})
            done[name].execute(steps, context, done, given.programs)
        image = done["runnel"]
        add_base(image)
        check(image, given.port)
    say("the steps were executed")


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, subprocess.CalledProcessError) as error:
        sys.exit(f"failed: {error}")
