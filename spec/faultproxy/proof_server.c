/* A tiny HTTP/1.1 server for the proof: keep-alive, many connections, and a
 * memory of what it was sent.
 * Must not know that a proxy stands before it. */
#include "proof.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROOF_PEERS 256
#define PROOF_BIG   1048576

struct proof_peer {
  int fd;
  size_t used;
  char bytes[8192];
};

struct proof_state {
  int listener;
  unsigned posts;
  char partial[64];
  struct proof_peer peer[PROOF_PEERS];
};

static void proof_send(int fd, const char *bytes, size_t size)
{
  ssize_t sent;

  while(size) {
    sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if(sent <= 0) {
      return;
    }
    bytes += sent;
    size -= (size_t)sent;
  }
}

static void proof_reply_text(int fd, const char *text)
{
  char reply[512];
  int size = snprintf(reply, sizeof reply,
                      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                      "Content-Length: %zu\r\n\r\n%s",
                      strlen(text), text);

  proof_send(fd, reply, (size_t)size);
}

static void proof_reply_big(int fd)
{
  static char body[PROOF_BIG];
  char head[128];
  int size =
      snprintf(head, sizeof head,
               "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", PROOF_BIG);

  memset(body, 'b', sizeof body);
  proof_send(fd, head, (size_t)size);
  proof_send(fd, body, sizeof body);
}

/* True when the connection is to be closed after the reply. */
static bool proof_reply(struct proof_state *state, struct proof_peer *peer)
{
  static const char chunked[] = "HTTP/1.1 200 OK\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"
                                "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
  static const char closing[] = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
  static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
  char number[32];
  const char *path = strchr(peer->bytes, ' ');

  path = path ? path + 1 : "/";
  if(strncmp(peer->bytes, "POST ", 5) == 0) {
    state->posts++;
    proof_send(peer->fd, interim, sizeof interim - 1);
  }
  if(strncmp(path, "/count ", 7) == 0) {
    snprintf(number, sizeof number, "%u", state->posts);
    proof_reply_text(peer->fd, number);
  } else if(strncmp(path, "/partial ", 9) == 0) {
    proof_reply_text(peer->fd, state->partial);
  } else if(strncmp(path, "/chunked ", 9) == 0) {
    proof_send(peer->fd, chunked, sizeof chunked - 1);
  } else if(strncmp(path, "/big ", 5) == 0) {
    proof_reply_big(peer->fd);
  } else if(strncmp(path, "/close ", 7) == 0) {
    proof_send(peer->fd, closing, sizeof closing - 1);
    return true;
  } else {
    proof_reply_text(peer->fd, "hello");
  }
  return false;
}

static void proof_drop(struct proof_peer *peer)
{
  close(peer->fd);
  peer->fd = -1;
  peer->used = 0;
}

/* Answers every whole request that is in the buffer. */
static void proof_serve(struct proof_state *state, struct proof_peer *peer)
{
  for(;;) {
    char *end = strstr(peer->bytes, "\r\n\r\n");
    char *length = strstr(peer->bytes, "Content-Length: ");
    size_t whole;

    if(!end) {
      return;
    }
    whole = (size_t)(end - peer->bytes) + 4;
    if(length && length < end) {
      whole += (size_t)strtoul(length + 16, NULL, 10);
    }
    if(peer->used < whole) {
      return;
    }
    if(proof_reply(state, peer)) {
      proof_drop(peer);
      return;
    }
    peer->used -= whole;
    memmove(peer->bytes, peer->bytes + whole, peer->used);
    peer->bytes[peer->used] = '\0';
  }
}

static void proof_read(struct proof_state *state, struct proof_peer *peer)
{
  ssize_t got = recv(peer->fd, peer->bytes + peer->used,
                     sizeof peer->bytes - 1 - peer->used, 0);

  if(got <= 0) {
    if(peer->used || got < 0) {
      snprintf(state->partial, sizeof state->partial, "%zu %s", peer->used,
               got == 0 ? "fin" : "rst");
    }
    proof_drop(peer);
    return;
  }
  peer->used += (size_t)got;
  peer->bytes[peer->used] = '\0';
  proof_serve(state, peer);
}

static void proof_accept(struct proof_state *state)
{
  int fd = accept(state->listener, NULL, NULL);
  size_t i;

  for(i = 0; i < PROOF_PEERS && fd >= 0; i++) {
    if(state->peer[i].fd < 0) {
      state->peer[i].fd = fd;
      return;
    }
  }
  if(fd >= 0) {
    close(fd);
  }
}

static void proof_loop(struct proof_state *state)
{
  struct pollfd wait[PROOF_PEERS + 1];
  size_t i;

  for(i = 0; i < PROOF_PEERS; i++) {
    state->peer[i].fd = -1;
  }
  for(;;) {
    for(i = 0; i < PROOF_PEERS; i++) {
      wait[i].fd = state->peer[i].fd;
      wait[i].events = POLLIN;
    }
    wait[PROOF_PEERS].fd = state->listener;
    wait[PROOF_PEERS].events = POLLIN;
    if(poll(wait, PROOF_PEERS + 1, -1) < 0 && errno != EINTR) {
      return;
    }
    for(i = 0; i < PROOF_PEERS; i++) {
      if(wait[i].fd >= 0 && wait[i].revents) {
        proof_read(state, &state->peer[i]);
      }
    }
    if(wait[PROOF_PEERS].revents) {
      proof_accept(state);
    }
  }
}

pid_t proof_server(uint16_t *port)
{
  static struct proof_state state;
  struct sockaddr_in here;
  socklen_t size = sizeof here;
  pid_t pid;

  memset(&here, 0, sizeof here);
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  state.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if(state.listener < 0 ||
     bind(state.listener, (struct sockaddr *)&here, sizeof here) != 0 ||
     listen(state.listener, 1024) != 0 ||
     getsockname(state.listener, (struct sockaddr *)&here, &size) != 0) {
    proof_die("server");
  }
  *port = ntohs(here.sin_port);
  pid = fork();
  if(pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    proof_loop(&state);
    _exit(1);
  }
  close(state.listener);
  return pid;
}
