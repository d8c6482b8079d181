#!/usr/bin/env python3
"""The door: roles, users, passwords, protected mode, peer credentials, privileges. As root, in
network namespaces and with users that the machine has anyway."""

import base64
import contextlib
import os
import pathlib
import re
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402

PASSWORDS = {"model": "read me", "admin": "operate!", "default": "plain"}
ROLES = {"model": "read", "admin": "operate", "default": "read"}
NOBODY = 65534
IPC_LOCK, NET_ADMIN, NET_RAW = 1 << 14, 1 << 12, 1 << 13
NOAUTH = "NOAUTH Authentication required."
WRONGPASS = "WRONGPASS invalid username-password pair or user is disabled."

SAY = """
import socket, sys
with socket.socket(socket.AF_UNIX if "/" in sys.argv[1] else socket.AF_INET) as sock:
    sock.settimeout(10)
    host, _, port = sys.argv[1].partition(":")
    sock.connect(host if "/" in host else (host, int(port)))
    sock.sendall(sys.argv[2].encode().decode("unicode_escape").encode())
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # Refused and closed already.
    while True:
        some = sock.recv(65536)
        if not some:
            break
        sys.stdout.write(some.decode())
"""


def make_users(folder):
    path = pathlib.Path(folder) / "users.yaml"
    for name, password in PASSWORDS.items():
        done = support.run("user", "add", name, "--role", ROLES[name], "--file", path,
                           input=password + "\n")
        assert done.returncode == 0, done.stderr
    return path


class Door(support.Appliance):
    """An appliance with other lines in `query` and `appliance`."""

    def __init__(self, folder, query="", lines="", host="127.0.0.1", **options):
        super().__init__(folder, **options)
        text = self.definitions.read_text()
        text = text.replace(f'tcp: "127.0.0.1:{self.tcp}"', f'tcp: "{host}:{self.tcp}"')
        text = text.replace(f'http: "127.0.0.1:{self.http}"', f'http: "{host}:{self.http}"{query}')
        self.definitions.write_text(text.replace("appliance:\n", "appliance:\n" + lines, 1))
        os.chmod(folder, 0o755)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind, *_):
        if kind is not None:
            print(self.log.read_text(), file=sys.stderr)
        assert self.stop() == 0

    def redis(self, user=None):
        redis = client.Redis(port=self.tcp)
        if user is not None:
            assert redis.call("AUTH", user, PASSWORDS[user]) == b"OK"
        return redis


def door(folder, users=True, **options):
    if users:
        options["query"] = f", users: {make_users(folder)}" + options.get("query", "")
    return Door(folder, **options)


def error_of(redis, *words):
    """The error that a command is answered with, "" when it is none."""
    try:
        redis.call(*words)
    except RuntimeError as error:
        return str(error)
    return ""


def documented_roles():
    """Command -> the least role, as docs/operating/commands.md says it."""
    text = (support.SOURCE / "docs/operating/commands.md").read_text()
    section = text.split("\n## Roles\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `?(none|operate)`? \| (.*) \|$", section, re.M))
    assert set(rows) == {"none", "operate"}, rows
    return {command: role for role, names in rows.items()
            for command in re.findall(r"`([^`]+)`", names)}


def commands():
    """Every row of the table as words that fit its arity."""
    text = (support.SOURCE / "controlplane/commands.def").read_text()
    for kind, first, second, third in re.findall(
            r"^(COMMAND|SUBCOMMAND|WRITE_COMMAND)\(([\w.-]+)(?:, ([\w.-]+))?(?:, (-?\d+))?", text,
            re.M):
        words = [first, second] if kind == "SUBCOMMAND" else [first]
        arity = {"COMMAND": second, "SUBCOMMAND": third, "WRITE_COMMAND": "1"}[kind]
        yield " ".join(words), words + ["1"] * (abs(int(arity)) - len(words))


def every_role_may_what_the_manual_says():
    least = documented_roles()
    cells = 0
    with tempfile.TemporaryDirectory() as folder, door(folder) as appliance:
        known = set()
        for name, words in commands():
            known.add(name)
            role = least.get(name, "read")
            for user in (None, "model", "admin"):
                redis = appliance.redis(user)
                error = error_of(redis, *words) if name != "CLIENT REPLY" else \
                    error_of(redis, "CLIENT", "REPLY", "ON")
                cells += 1
                if role == "none":
                    assert not error.startswith(("NOAUTH Auth", "NOPERM")), (name, user, error)
                elif user is None:
                    assert error == NOAUTH, (name, error)
                elif role == "operate" and user == "model":
                    low = name.lower().replace(" ", "|")
                    assert error.startswith("NOPERM this user has no permissions to run the "
                                            f"'{low}' command"), (name, error)
                else:
                    assert not error.startswith(("NOAUTH", "NOPERM", "WRONGPASS")), (name, error)
                redis.close()
        assert set(least) <= known, f"documented, and no command: {set(least) - known}"
    print(f"     {cells} cells")


def wrong_passwords_are_slow_and_bounded_and_hold_up_nobody():
    with tempfile.TemporaryDirectory() as folder, door(folder) as appliance:
        def refused():
            with urllib.request.urlopen(f"http://127.0.0.1:{appliance.http}/metrics") as page:
                return int(re.search(rb"^freshet_query_logins_refused_total (\d+)", page.read(),
                                     re.M)[1])
        other = appliance.redis("admin")
        assert refused() == 0
        for words in (("AUTH", "model", "x"), ("AUTH", "nobody", "read me"), ("AUTH", "operate!"),
                      ("AUTH", "model", ""), ("AUTH", "model", "x" * 9000),
                      ("AUTH", "model", b"read me\0"), ("AUTH", "Model", "read me"),
                      ("HELLO", "3", "AUTH", "model", "operate!"),
                      ("HELLO", "3", "AUTH", "admin", "x", "SETNAME", "y")):
            redis = appliance.redis()
            start = time.monotonic()
            redis.send(*words)
            begin = time.monotonic()
            assert other.call("PING") == b"PONG"
            assert time.monotonic() - begin < 0.4, "another client waited"
            try:
                raise AssertionError(f"{words}: {redis.read()}")
            except RuntimeError as error:
                assert str(error) == WRONGPASS, error
            assert time.monotonic() - start >= 0.5, "told at once"
            assert error_of(redis, "PING") == NOAUTH
            redis.close()
        assert refused() == 9
        redis = appliance.redis()
        for _ in range(8):
            assert error_of(redis, "AUTH", "model", "x") == WRONGPASS
        assert redis.file.read() == b"", "more than 8 attempts"
        redis = appliance.redis()
        assert redis.call("AUTH", "plain") == b"OK"
        assert b"user=default" in redis.call("CLIENT", "INFO")
        assert error_of(redis, "AUTH", "admin", "x") == WRONGPASS
        assert error_of(redis, "CONFIG", "GET", "port").startswith("NOPERM"), "kept its role"
        assert error_of(redis, "AUTH", "a", "b", "c").startswith("ERR syntax error")
        assert appliance.redis().call("HELLO", "2", "AUTH", "admin", "operate!")[:2] == \
            [b"server", b"redis"]


STRANGERS = [
    b"PING\r\n", b"FOO\r\n", b"PING a b\r\n", b"HELLO\r\n", b"HELLO 3\r\n", b"HELLO 9\r\n",
    b"HELLO 3 FOO\r\n", b"HELLO 3 AUTH default y\r\n", b"AUTH y\r\n", b"AUTH a b\r\n",
    b"AUTH a b c\r\n", b"AUTH\r\n", b"AUTH plain\r\nPING\r\nRESET\r\nPING\r\n", b"QUIT\r\nPING\r\n",
    b"AUTH default plain\r\nPING\r\n", b"AUTH plain\r\nAUTH y\r\nPING\r\n", b"RESET\r\nPING\r\n",
    b"*11\r\n$4\r\nPING\r\n", b"*2\r\n$16385\r\n", b"*10\r\n$16384\r\n", b"CLIENT GETNAME\r\n",
    b"SELECT 0\r\n", b"SELECT\r\n", b"CLIENT REPLY OFF\r\nAUTH plain\r\n",
    b"CLIENT SETNAME a\r\nAUTH plain\r\nCLIENT GETNAME\r\n", b"SET a b\r\n", b"COMMAND COUNT\r\n",
    b"AUTH plain\r\nCLIENT REPLY SKIP\r\nAUTH y\r\nECHO a\r\n",
    b"AUTH plain\r\nCLIENT REPLY OFF\r\nAUTH y\r\nCLIENT REPLY ON\r\nECHO a\r\n",
]


def exchange(port, data):
    """Everything that comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        out = b""
        while True:
            some = sock.recv(65536)
            if not some:
                return out
            out += some


def same_words(ours, theirs):
    """Line by line; an error of ours may go on after a semicolon, or suggest in its own words."""
    ours, theirs = ours.split(b"\r\n"), theirs.split(b"\r\n")
    return len(ours) == len(theirs) and all(
        mine == other or (other[:1] == b"-" and (mine.startswith(other + b";") or
                                                 mine[:12] == other[:12] == b"-ERR unknown"))
        for mine, other in zip(ours, theirs))


def strangers_are_answered_as_redis_answers_them():
    support.need("redis-server")
    with tempfile.TemporaryDirectory() as folder, door(folder) as appliance:
        port = support.port_free()
        redis = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1",
                                  "--requirepass", "plain", "--save", "", "--dir", folder],
                                 stdout=subprocess.DEVNULL)
        try:
            def listens():
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    return True
            support.wait_until(listens, "redis-server listens")
            for row in STRANGERS:
                theirs, ours = exchange(port, row), exchange(appliance.tcp, row)
                assert same_words(ours, theirs), f"{row!r}: {ours!r}, redis {theirs!r}"
        finally:
            redis.terminate()
            redis.wait(10)


def without_users_this_machine_reads_over_tcp():
    with tempfile.TemporaryDirectory() as folder, door(folder, users=False) as appliance:
        redis = appliance.redis()
        assert redis.call("HMGET", "card:1", "activity.txn_count_10m") == [None]
        assert error_of(redis, "FS.DROPS").startswith("NOPERM")
        assert redis.call("AUTH", "default", "anything") == b"OK"
        assert error_of(redis, "AUTH", "model", "read me") == WRONGPASS
        assert error_of(redis, "FS.DROPS").startswith("NOPERM")
        assert "no users" in appliance.log.read_text()


def namespaces():
    """Two network namespaces with a wire between them; the first one's address is 198.18.7.1."""
    names = [f"freshet-door-{os.getpid()}-{i}" for i in range(2)]

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)
    for name in names:
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    ip("link", "add", "v0", "netns", names[0], "type", "veth", "peer", "name", "v1", "netns",
       names[1])
    for i, name in enumerate(names):
        ip("-n", name, "address", "add", f"198.18.7.{i + 1}/30", "dev", f"v{i}")
        ip("-n", name, "link", "set", f"v{i}", "up")
    return names


def within(name, *words):
    return subprocess.run(["ip", "netns", "exec", name, *map(str, words)], capture_output=True,
                          text=True, timeout=30)


def say(name, where, text):
    done = within(name, sys.executable, "-c", SAY, where, text)
    assert done.returncode == 0, done.stderr
    return done.stdout


FETCH = """
import sys, urllib.request, urllib.error
request = urllib.request.Request(sys.argv[1])
if len(sys.argv) > 2:
    request.add_header("Authorization", "Basic " + sys.argv[2])
try:
    with urllib.request.urlopen(request, timeout=10) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.headers.get("WWW-Authenticate", ""), error.read().decode())
"""


def fetch(name, url, user=None, password=""):
    words = [base64.b64encode(f"{user}:{password}".encode()).decode()] if user else []
    done = within(name, sys.executable, "-c", FETCH, url, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def from_outside_only_users_get_in():
    names = namespaces()
    try:
        for users in (False, True):
            with tempfile.TemporaryDirectory() as folder, \
                    door(folder, users=users, host="0.0.0.0",
                         within=["ip", "netns", "exec", names[0]]) as appliance:
                outside = f"198.18.7.1:{appliance.tcp}"
                inside = f"127.0.0.1:{appliance.tcp}"
                url = f"http://198.18.7.1:{appliance.http}"
                local = f"http://127.0.0.1:{appliance.http}/metrics"
                assert "freshet_" in fetch(names[0], local)[:400]
                for page in ("/healthz", "/readyz"):
                    assert fetch(names[1], url + page).startswith("200"), page
                if not users:
                    assert say(names[1], outside, "PING\\r\\n").startswith("-DENIED Freshet is")
                    assert say(names[0], outside, "PING\\r\\n").startswith("-DENIED Freshet is")
                    assert say(names[0], inside, "PING\\r\\n") == "+PONG\n"
                    assert fetch(names[1], url + "/metrics").startswith("403 ")
                    assert fetch(names[1], url + "/metrics", "model", "read me").startswith("403 ")
                    continue
                assert say(names[0], inside, "PING\\r\\n") == f"-{NOAUTH}\n"
                assert say(names[1], outside, "PING\\r\\n") == f"-{NOAUTH}\n"
                assert say(names[1], outside, 'AUTH model "read me"\\r\\nPING\\r\\n') == \
                    "+OK\n+PONG\n"
                answer = fetch(names[1], url + "/metrics")
                assert answer.startswith('401 Basic realm="freshet"'), answer
                for user, password in (("model", "x"), ("ghost", "read me"), ("model", "")):
                    assert fetch(names[1], url + "/metrics", user, password).startswith("401 ")
                for user in PASSWORDS:
                    for _ in range(2):
                        answer = fetch(names[1], url + "/metrics", user, PASSWORDS[user])
                        assert answer.startswith("200 ") and "freshet_" in answer, answer[:200]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False)


def health_is_answered_while_passwords_are_guessed():
    """A guess waits half a second at the verifier, never in the one thread of HTTP. On loopback
    nobody is asked for a password, so the guesses come over RESP."""
    with tempfile.TemporaryDirectory() as folder, door(folder) as appliance:
        guessing = [appliance.redis() for _ in range(50)]
        for redis in guessing:
            redis.send("AUTH", "model", "x")
        start = time.monotonic()
        known = appliance.redis()
        known.send("AUTH", "admin", PASSWORDS["admin"])
        health = f"http://127.0.0.1:{appliance.http}/healthz"
        with urllib.request.urlopen(health, timeout=5) as page:
            assert page.status == 200
        assert time.monotonic() - start < 0.5
        assert known.read() == b"OK"
        start = time.monotonic()
        assert appliance.redis("admin").call("PING") == b"PONG"
        assert time.monotonic() - start < 0.5, "a known password waits behind guesses"
        for redis in guessing:
            redis.close()


def say_as(uid, path, text):
    return subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
                           sys.executable, "-c", SAY, str(path), text], capture_output=True,
                          text=True, timeout=30)


def the_unix_socket_knows_its_peer_by_the_kernel():
    cases = [("", None), (", unix_mode: \"0666\"", "read")]
    for query, role in cases:
        with tempfile.TemporaryDirectory() as folder, \
                door(folder, users=role is not None, query=query) as appliance:
            mine = client.Redis(path=appliance.socket)
            assert mine.call("CONFIG", "GET", "databases") == [b"databases", b"1"]
            done = say_as(NOBODY, appliance.socket,
                          "PING\\r\\nFS.DROPS\\r\\nAUTH admin operate!\\r\\nFS.DROPS\\r\\n")
            if role is None:
                assert done.returncode != 0 and "Permission denied" in done.stderr, done
                assert stat.S_IMODE(appliance.socket.stat().st_mode) == 0o660
            else:
                assert done.returncode == 0, done
                ping, drops, login, again = done.stdout.split("\n")[:4]
                assert ping == "+PONG" and login == "+OK", done
                assert drops.startswith("-NOPERM") and again.startswith("$"), done


def threads_of(pid):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        yield task.name, dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))


def every_thread_drops_what_it_does_not_need():
    rows = [(None, IPC_LOCK),
            ('{driver: ethdev, vdev: "net_null0", address: 192.0.2.10/24, port: 4700, auth: none, '
             'allow: ["192.0.2.0/24"]}', IPC_LOCK | NET_RAW | NET_ADMIN)]
    for ingest, kept in rows:
        with tempfile.TemporaryDirectory() as folder, \
                door(folder, lines="  user: nobody\n", ingest=ingest) as appliance:
            pid = appliance.process.pid
            threads = dict(threads_of(pid))
            names = {status["Name"] for status in threads.values()}
            assert {"shard-0", "serve-0", "verifier"} <= names, names
            for thread, status in threads.items():
                what = (thread, status["Name"])
                assert set(status["Uid"].split()) == {str(NOBODY)}, (what, status["Uid"])
                assert set(status["Gid"].split()) == {str(NOBODY)}, (what, status["Gid"])
                assert set(status["Groups"].split()) <= {str(NOBODY)}, (what, status["Groups"])
                allowed = kept if thread == str(pid) else 0
                for capabilities in ("CapPrm", "CapEff"):
                    assert int(status[capabilities], 16) == allowed, (what, status)
                for capabilities in ("CapInh", "CapAmb"):
                    assert int(status[capabilities], 16) == 0, (what, status)
                assert status["NoNewPrivs"] == "1", what
            assert os.stat(f"/proc/{pid}/maps").st_uid == 0, "can be dumped"
            assert appliance.socket.stat().st_uid == NOBODY
            assert "user     nobody" in appliance.log.read_text()
            done = say_as(NOBODY, appliance.socket, "FS.DROPS\\r\\n")
            assert done.stdout.startswith("$"), "the process's own user operates: " + done.stdout
            appliance.status()
        assert not appliance.socket.exists(), "the socket file is left behind"


def who_the_process_is_can_be_said():
    rows = [("  user: root\n", 0, "user     root"),
            ("  user: no_such_user\n", 1, "there is no user no_such_user; make it: useradd")]
    for lines, code, text in rows:
        with tempfile.TemporaryDirectory() as folder:
            appliance = Door(folder, lines=lines)
            done = support.run("run", appliance.definitions, "--for", "0.3", cwd=folder)
            assert done.returncode == code and text in done.stdout + done.stderr, done
            done = support.run("doctor", appliance.definitions, cwd=folder)
            assert "privileges" in done.stdout, done
            assert done.returncode == (3 if code else done.returncode), done
    with tempfile.TemporaryDirectory() as folder:
        appliance = Door(folder, lines="  user: root\n")
        os.chown(folder, NOBODY, NOBODY)
        done = subprocess.run(["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
                               "--clear-groups", support.PROGRAM, "run", appliance.definitions],
                              capture_output=True, text=True, timeout=30, cwd=folder)
        assert done.returncode == 1 and "only root can become root" in done.stderr, done


def a_file_that_others_may_read_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        users = make_users(folder)
        assert stat.S_IMODE(users.stat().st_mode) == 0o600
        assert "plain" not in users.read_text() and "$y$" in users.read_text()
        for mode in (0o640, 0o604, 0o620, 0o644, 0o660, 0o666, 0o777):
            os.chmod(users, mode)
            appliance = Door(folder, query=f", users: {users}")
            done = support.run("run", appliance.definitions, "--for", "0.2", cwd=folder)
            assert done.returncode == 1, (oct(mode), done)
            assert f"chmod 600 {users}" in done.stderr and f"{mode:04o}" in done.stderr, done
            done = support.run("doctor", appliance.definitions, cwd=folder)
            assert done.returncode == 3 and f"chmod 600 {users}" in done.stdout, done
        os.chmod(users, 0o600)
        for text, says in (("", "holds no user"),
                           ("a: {role: read}\n", "users.yaml:1:4: a user"),
                           ("a: {role: read, password: clear}\n", "users.yaml:1: the password"),
                           ("a: {role: root, password: x}\n", "allowed: read, operate"),
                           ("a: {role: read, password: $1$abc$xyz}\n", "no hash that this system")):
            users.write_text(text)
            done = support.run("run", appliance.definitions, "--for", "0.2", cwd=folder)
            assert done.returncode == 1 and says in done.stderr, (text, done)
        users.unlink()
        done = support.run("run", appliance.definitions, "--for", "0.2", cwd=folder)
        assert done.returncode == 1 and "freshet user add NAME" in done.stderr, done


def users_are_kept_by_a_verb():
    with tempfile.TemporaryDirectory() as folder:
        users = make_users(folder)
        done = support.run("user", "list", "--file", users)
        assert done.stdout.split() == [word for pair in ROLES.items() for word in pair], done
        done = support.run("user", "add", "model", "--role", "read", "--file", users, input="x\n")
        assert done.returncode == 1 and "already" in done.stderr, done
        assert support.run("user", "remove", "model", "--file", users).returncode == 0
        done = support.run("user", "list", "--file", users, "--json")
        assert '"admin"' in done.stdout and "model" not in done.stdout, done
        assert support.run("user", "remove", "model", "--file", users).returncode == 1
        for arguments in (["add", "x", "--file", users], ["add", "-x", "--role", "read"],
                          ["add", "a b", "--role", "read", "--file", users], ["list"],
                          ["list", "x", "--file", users], ["change", "x", "--file", users],
                          ["add", "--role", "read", "--file", users],
                          ["add", "x", "--role", "root", "--file", users]):
            assert support.run("user", *arguments).returncode == 2, arguments
        for password in ("", "\n", "x" * 256 + "\n"):
            done = support.run("user", "add", "x", "--role", "read", "--file", users,
                               input=password)
            assert done.returncode == 1 and "no password" in done.stderr, done
        assert stat.S_IMODE(users.stat().st_mode) == 0o600
        assert sorted(os.listdir(folder)) == ["users.yaml"], "a draft is left behind"


def verbs_say_who_asks():
    with tempfile.TemporaryDirectory() as folder, door(folder) as appliance:
        server = f"127.0.0.1:{appliance.tcp}"
        environment = {"FRESHET_PASSWORD": PASSWORDS["admin"]}
        for verb in (["status"], ["drops"], ["get", "card:1", "activity.txn_count_10m"],
                     ["top", "--for", "0.1"]):
            done = support.run(*verb, "--server", server)
            assert done.returncode == 1 and "FRESHET_PASSWORD" in done.stderr, done
            done = support.run(*verb, "--server", server, "--user", "admin")
            assert done.returncode == 1 and "set FRESHET_PASSWORD" in done.stderr, done
            done = support.run(*verb, "--server", server, "--user", "model",
                               environment=environment)
            assert done.returncode == 1 and "WRONGPASS" in done.stderr, done
            done = support.run(*verb, "--server", server, "--user", "admin",
                               environment=environment)
            assert done.returncode == 0, done
        done = support.run("status", "--server", server,
                           environment={**environment, "FRESHET_USER": "admin"})
        assert done.returncode == 0, done


TESTS = [every_role_may_what_the_manual_says,
         wrong_passwords_are_slow_and_bounded_and_hold_up_nobody,
         strangers_are_answered_as_redis_answers_them,
         without_users_this_machine_reads_over_tcp, from_outside_only_users_get_in,
         health_is_answered_while_passwords_are_guessed,
         the_unix_socket_knows_its_peer_by_the_kernel, every_thread_drops_what_it_does_not_need,
         who_the_process_is_can_be_said, a_file_that_others_may_read_is_refused,
         users_are_kept_by_a_verb, verbs_say_who_asks]

if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root, for namespaces and for being others")
        sys.exit(support.SKIPPED)
    for needed in ("ip", "setpriv"):
        support.need(needed)
    support.main([test for test in TESTS if len(sys.argv) < 2 or test.__name__ in sys.argv])
