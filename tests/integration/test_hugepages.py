#!/usr/bin/python3
"""test_hugepages.py - the region on reserved huge pages: taken if they cover it, kept over a kill of the master, given back.

Needs root: it reserves huge pages and mounts a hugetlbfs of its own, and puts both back.
"""
import os
import signal
import subprocess
import tempfile

import harness

POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
REGION = 256 << 20
PAGES = REGION // (2 << 20) + 8


def read_pool():
    with open(POOL) as f:
        return int(f.read())


def reserve(n):
    with open(POOL, "w") as f:
        f.write(str(n))
    return read_pool() >= n


def fill(server):
    with server.connect() as c:
        replies = c.pipeline([("SET", "key:%d" % i, "v%d" % i) for i in range(20000)])
        assert all(r == "OK" for r in replies)


def is_chosen_by_itself(mount):
    """Without --region, reserved pages that cover the region are where it goes."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "log")

        def log():
            with open(path, encoding="utf-8") as f:
                return f.read()
        with open(path, "wb") as f:
            process = subprocess.Popen([harness.KVSTASH, "--port", str(harness.free_port()), "--dir", d, "--region-size", str(REGION)],
                                       stdout=f, stderr=subprocess.STDOUT)
        try:
            harness.wait_for("the server is ready", lambda: process.poll() is not None or harness.READY in log())
        finally:
            process.terminate()
            status = process.wait(harness.STOP_S)
        assert status == 0 and "region " + mount in log(), log()


def serves_on_huge_pages(mount):
    with harness.Kvstash("--region", os.path.join(mount, "region"), region_size=REGION) as server:
        assert server.info("server")["region_pages"] == "hugetlb", server.info("server")
        fill(server)
        master = server.process.pid
        os.kill(master, signal.SIGKILL)
        server.process.wait(harness.STOP_S)
        server.start()
        with server.connect() as c:
            assert c.command("DBSIZE") == 20000
            assert c.command("GET", "key:19999") == b"v19999"


def refuses_without():
    """`always` where the directory lies on a disk, whose pages are small."""
    with tempfile.TemporaryDirectory() as d:
        region = os.path.join(d, "region")
        r = subprocess.run([harness.KVSTASH, "--port", str(harness.free_port()), "--dir", os.path.join(d, "data"), "--region", region,
                            "--region-size", str(REGION), "--hugepages", "always"], capture_output=True, text=True, timeout=30)
        assert r.returncode != 0, r.stdout
        assert "hugepages is 'always'" in r.stdout + r.stderr, r.stdout + r.stderr
        assert not os.path.exists(region)


def main():
    if os.geteuid() != 0:
        raise harness.Skip("needs root to reserve huge pages and to mount hugetlbfs")
    before = read_pool()
    with tempfile.TemporaryDirectory() as mount:
        mounted = False
        try:
            if not reserve(before + PAGES):
                raise harness.Skip("the machine has no %d huge pages to reserve" % PAGES)
            mounted = subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", mount]).returncode == 0
            if not mounted:
                raise harness.Skip("hugetlbfs cannot be mounted here")
            is_chosen_by_itself(mount)
            serves_on_huge_pages(mount)
            refuses_without()
            assert os.listdir(mount) == [], os.listdir(mount)
        finally:
            if mounted:
                subprocess.run(["umount", mount], check=True)
            reserve(before)


harness.run(main)
