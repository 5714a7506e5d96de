/* What the proof of the fault proxy is made of: a server that counts, a
 * client that sees how a connection ended, and the proxy as a process.
 * Must not know the proxy's insides: it is judged by the wire alone. */
#ifndef FP_PROOF_H
#define FP_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum proof_end { PROOF_OPEN, PROOF_FIN, PROOF_RST };

/* What a client saw. */
struct proof_seen {
  char bytes[4096]; /* the first of them, ended by a NUL */
  size_t size;      /* all of them */
  enum proof_end end;
  long ms;
};

struct proof_proxy {
  pid_t pid;
  uint16_t port;
  char log_path[64];
};

/* The server, a child process: GET /count tells how many whole POSTs came,
 * GET /partial how the last unfinished request ended. */
pid_t proof_server(uint16_t *port);

/* The proxy. `rules` ends with NULL. Stop returns its exit code. */
struct proof_proxy proof_proxy_start(const char *program, uint16_t to,
                                     const char *const *rules);
int proof_proxy_stop(struct proof_proxy *proxy);
/* How many lines of the log hold the text; looks for up to a second until
 * there are `wanted`. */
int proof_log_count(const struct proof_proxy *proxy, const char *text,
                    int wanted);
int proof_descriptors(pid_t pid);

/* The client. Dial returns -1 when refused. Talk sends, then reads until the
 * end, until `want` bytes are in, or until `limit_ms`. */
int proof_dial(uint16_t port);
struct proof_seen proof_talk(int fd, const char *request, size_t want,
                             long limit_ms);
/* One request on a connection of its own. */
struct proof_seen proof_once(uint16_t port, const char *request, size_t want,
                             long limit_ms);
long proof_now_ms(void);
void proof_die(const char *what);

#endif
