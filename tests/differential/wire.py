"""wire.py - sends batches of commands to many connections at once and collects the replies.

The idea: nothing blocks on one socket. Every link has bytes to send (in the pieces in which they are to be written) and
bytes received; pump() serves all of them until each has got its batch's last reply, an ECHO of a word of its own. So
pipelines of any size can't deadlock, and four workers are busy at the same moment.
"""
import select
import socket
import time

REPLY_S = 60


class Closed(Exception):
    """A server closed the connection or does not answer; args: link, what was received of the batch."""


def multibulk(argv):
    return b"*%d\r\n%b" % (len(argv), b"".join([b"$%d\r\n%b\r\n" % (len(a), a) for a in argv]))


def inline(argv):
    """The same request as an inline command: every byte that isn't plain in quotes."""
    words = []
    for a in argv:
        if a and all(48 <= ch < 123 and ch != 92 for ch in a):
            words.append(a)
        else:
            words.append(b'"' + b"".join(b"%c" % ch if 32 <= ch < 127 and ch not in b'"\\' else b"\\x%02x" % ch for ch in a) + b'"')
    return b" ".join(words) + b"\r\n"


def dial(port):
    return Link(socket.create_connection(("127.0.0.1", port)))


class Link:
    """One connection to one server."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.pieces, self.have, self.end = [], bytearray(), b""
        self.batches = 0

    def close(self):
        self.sock.close()

    def post(self, pieces):
        """Queues a batch; its replies are in have after pump()."""
        self.batches += 1
        word = b"end-of-batch-%d" % self.batches
        self.end = b"$%d\r\n%b\r\n" % (len(word), word)
        self.have.clear()
        self.pieces = list(reversed(list(pieces) + [multibulk([b"ECHO", word])]))

    def is_done(self):
        return not self.pieces and self.have.endswith(self.end)

    def write(self):
        """One piece, or as much of it as fits."""
        piece = self.pieces.pop()
        try:
            sent = self.sock.send(piece)
        except BlockingIOError:
            sent = 0
        except (ConnectionResetError, BrokenPipeError) as e:
            raise Closed(self, bytes(self.have)) from e
        if sent < len(piece):
            self.pieces.append(piece[sent:])

    def read(self):
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(self, bytes(self.have))
        self.have += data

    def replies(self):
        """The batch's bytes without the last ECHO's."""
        return bytes(self.have[:-len(self.end)])


def pump(links):
    """Until all links have all their replies."""
    poll = select.poll()
    by_fd = {link.sock.fileno(): link for link in links}
    for fd in by_fd:
        poll.register(fd, select.POLLIN | select.POLLOUT)
    limit = time.monotonic() + REPLY_S
    while by_fd:
        for fd, event in poll.poll(1000):
            link = by_fd[fd]
            if link.pieces and event & select.POLLOUT:
                link.write()
                if not link.pieces:
                    poll.modify(fd, select.POLLIN)
            if event & (select.POLLIN | select.POLLHUP | select.POLLERR):
                link.read()
                if link.is_done():
                    poll.unregister(fd)
                    del by_fd[fd]
        if time.monotonic() > limit:
            link = next(iter(by_fd.values()))
            raise Closed(link, bytes(link.have))
