/* Prepares a run: the script's text, the service and the API key, the state
   directory, the lock.
   Must not know: Lua, the spelling of options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/text.h"
#include "host/host.h"

#define GRACE_MS 10000

#define SCRIPT_MAX (4u << 20)

enum ca_code host_setup_script(struct host *host, const char *path,
                               struct ca_err *err)
{
  char *slash;
  free(host->script_text);
  host->script_text =
      host_paths_read_file(path, SCRIPT_MAX, &host->script_len, err);
  if(!host->script_text)
    return CA_USAGE;
  if(path != host->script)
    ca_text_copy(host->script, sizeof(host->script), path);
  if(!realpath(path, host->script_path))
    ca_text_copy(host->script_path, sizeof(host->script_path), path);
  ca_text_copy(host->script_dir, sizeof(host->script_dir), host->script);
  slash = strrchr(host->script_dir, '/');
  if(slash)
    *slash = '\0';
  else
    memcpy(host->script_dir, ".", 2);
  ca_digest_bytes(host->script_text, host->script_len, host->script_sha);
  return CA_OK;
}

static enum ca_code read_named_script(struct host *host, struct ca_err *err)
{
  enum ca_code code = host_paths_script(host->options.script, host->script,
                                        sizeof(host->script), err);
  ca_text_copy(host->word, sizeof(host->word), host->options.script);
  return code ? code : host_setup_script(host, host->script, err);
}

void host_setup_share_pace(struct host *host)
{
  const int shards = host->options.shard.count;
  struct ca_endpoint_options *endpoint = &host->endpoint;
  if(shards < 2)
    return;
  endpoint->rate_per_second /= shards;
  if(endpoint->budget_percent <= 0)
    endpoint->budget_percent = CA_DEFAULT_BUDGET;
  endpoint->budget_percent /= shards;
}

/* Finds the base URL and the API key. */
static enum ca_code find_service(struct host *host, struct ca_err *err)
{
  struct ca_endpoint_options *endpoint = &host->endpoint;
  const struct host_options *options = &host->options;
  enum ca_code code;
  *endpoint = options->endpoint;
  host_setup_share_pace(host);
  if(endpoint->ca_file && access(endpoint->ca_file, R_OK))
    return ca_err_set(err, CA_USAGE, "cannot read --tls-ca %s: %s",
                      endpoint->ca_file, strerror(errno));
  if(options->emulator) {
    host_paths_forget_key();
    code =
        host_emulator_start(&host->emulator, options->emulator_accounts, err);
    endpoint->base_url = host->emulator.url;
    endpoint->api_key = host->emulator.api_key;
    return code;
  }
  code = host_paths_read_key(options->api_key_file, &host->key, err);
  endpoint->api_key = ca_buf_text(&host->key);
  if(!endpoint->base_url)
    endpoint->base_url = getenv("COMPOSIO_BASE_URL");
  if(endpoint->base_url && !*endpoint->base_url)
    endpoint->base_url = NULL;
  if(!endpoint->base_url && host->run_url[0])
    endpoint->base_url = host->run_url;
  return code;
}

/* Refuses settings with which no request can be made, before the first one. */
static enum ca_code check_service(struct host *host, struct ca_err *err)
{
  struct ca_endpoint *endpoint = ca_endpoint_new(&host->endpoint, err);
  if(!endpoint)
    return err->code;
  ca_text_copy(host->project, sizeof(host->project), endpoint->fingerprint);
  ca_text_copy(host->base_url, sizeof(host->base_url), endpoint->base_url);
  ca_endpoint_free(endpoint);
  return CA_OK;
}

enum ca_code host_setup_state(struct host *host, struct ca_err *err)
{
  if(host->options.emulator && !host->options.state_dir) {
    enum ca_code code =
        host_paths_make_scratch(host->state_dir, sizeof(host->state_dir), err);
    host->scratch = !code;
    return code;
  }
  return host_paths_state_dir(host->options.state_dir, host->state_dir,
                              sizeof(host->state_dir), err);
}

enum ca_code host_setup_service(struct host *host, struct ca_err *err)
{
  enum ca_code code = find_service(host, err);
  if(!code)
    code = check_service(host, err);
  return code;
}

enum ca_code host_setup_lock(struct host *host, struct ca_err *err)
{
  enum ca_code code;
  if(!host->options.apply)
    return CA_OK;
  code = ca_store_make_dir(host->state_dir, err);
  return code ? code : host_lock_take(host, err);
}

enum ca_code host_setup_run(struct host *host, struct ca_err *err)
{
  enum ca_code code = read_named_script(host, err);
  if(code || host->options.help) {
    host_paths_forget_key();
    return code;
  }
  code = host_setup_service(host, err);
  if(!code)
    code = host_confirm_read_protect(host, err);
  if(!code)
    code = host_setup_state(host, err);
  return code ? code : host_setup_lock(host, err);
}

void host_setup_deadline(struct host *host)
{
  int64_t until_ms = host->start_ms + host->options.deadline_ms;
  int64_t ms = until_ms - ca_clock_mono_ms(host->clock);
  struct itimerval timer = { 0 };
  if(!host->options.deadline_ms)
    return;
  if(ms < 1) /* it is over; a timer of 0 would never end */
    ms = 1;
  host->options.endpoint.deadline_ms = until_ms;
  timer.it_value.tv_sec = (time_t)(ms / 1000);
  timer.it_value.tv_usec = (suseconds_t)(ms % 1000 * 1000);
  (void)setitimer(ITIMER_REAL, &timer, NULL);
}

bool host_setup_may_wait(struct host *host)
{
  int64_t now_ms;
  if(!host_is_cut(host))
    return true;
  now_ms = ca_clock_mono_ms(host->clock);
  if(!host->stop_since_ms)
    host->stop_since_ms = now_ms;
  return now_ms < host->stop_since_ms + GRACE_MS;
}

void host_setup_machine(struct host *host)
{
  char name[sizeof(host->machine)] = "";
  ca_text_copy(host->cwd, sizeof(host->cwd), host->here);
  if(gethostname(name, sizeof(name) - 1))
    name[0] = '\0';
  ca_text_copy(host->machine, sizeof(host->machine), name);
}

void host_setup_describe_run(struct host *host, struct ca_run_info *info)
{
  memset(info, 0, sizeof(*info));
  info->script = host->script_path;
  info->word = host->word;
  info->cwd = host->cwd;
  info->undoes = host->undoes[0] ? host->undoes : NULL;
  info->redoes = ca_text_or_null(host->redoes);
  info->script_sha = host->script_sha;
  info->params = host->given       ? host->given
                 : host->L != NULL ? lca_run_stats(host->L)->params
                                   : "{}";
  info->options = ca_buf_text(&host->options_json);
  info->mode = host->options.apply ? "apply" : "preview";
  info->who = host_paths_user();
  info->host = host->machine;
  info->project = host->project;
  info->base_url = host->base_url;
  info->version = COMPOSIO_VERSION;
  info->plan = ca_text_or_null(host->plan);
}
