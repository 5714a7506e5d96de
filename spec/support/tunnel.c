/* composio-tunnel: an HTTP proxy that only supports CONNECT, and connects to
   one port of this machine whatever host is requested. For specs of libcurl's
   behaviour behind a proxy.
   Usage: composio-tunnel --to PORT      first line on stdout: {"port":N}
   Must not know: what it forwards. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
  perror(what);
  return 1;
}

static struct sockaddr_in loopback(int port)
{
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/* Reads up to the empty line, byte by byte: later bytes are for the other
 * side. */
static bool read_head(int client)
{
  char head[8192];
  size_t used = 0;
  while(used < sizeof(head) && read(client, head + used, 1) == 1) {
    used++;
    if(used >= 4 && !memcmp(head + used - 4, "\r\n\r\n", 4))
      return !memcmp(head, "CONNECT ", 8);
  }
  return false;
}

/* Returns false when that side has closed. */
static bool pass(int from, int to)
{
  char bytes[16384];
  ssize_t len = read(from, bytes, sizeof(bytes));
  ssize_t sent = 0;
  while(sent < len) {
    ssize_t now = send(to, bytes + sent, (size_t)(len - sent), MSG_NOSIGNAL);
    if(now <= 0)
      return false;
    sent += now;
  }
  return len > 0;
}

static void serve(int client, int target_port)
{
  static const char good[] = "HTTP/1.1 200 Connected\r\n\r\n";
  struct sockaddr_in address = loopback(target_port);
  int target = socket(AF_INET, SOCK_STREAM, 0);
  struct pollfd both[2] = { { client, POLLIN, 0 }, { target, POLLIN, 0 } };

  if(target < 0 || !read_head(client) ||
     connect(target, (struct sockaddr *)&address, sizeof(address)) ||
     send(client, good, sizeof(good) - 1, MSG_NOSIGNAL) < 0)
    return;
  while(poll(both, 2, -1) > 0) {
    if(both[0].revents && !pass(client, target))
      return;
    if(both[1].revents && !pass(target, client))
      return;
  }
}

int main(int argc, char **argv)
{
  struct sockaddr_in address = loopback(0);
  socklen_t len = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int target_port = argc == 3 && !strcmp(argv[1], "--to")
                        ? (int)strtol(argv[2], NULL, 10)
                        : 0;

  if(!target_port) {
    fprintf(stderr, "usage: composio-tunnel --to PORT\n");
    return 2;
  }
  if(listener < 0 ||
     bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
     listen(listener, 64) ||
     getsockname(listener, (struct sockaddr *)&address, &len))
    return fail("composio-tunnel");
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  (void)signal(SIGCHLD, SIG_IGN); /* children are not waited for */
  for(;;) {
    int client = accept(listener, NULL, NULL);
    pid_t child = client < 0 ? -1 : fork();
    if(!child) {
      close(listener);
      close(STDOUT_FILENO); /* a reader gets its EOF when the parent ends */
      serve(client, target_port);
      _exit(0);
    }
    if(client >= 0)
      close(client);
  }
}
