#include "controlplane/verifier.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "controlplane/password.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/siphash.h"
#include "dataplane/base/units.h"
#include "drivers/clock.h"
#include "drivers/memory.h"
#include "drivers/secret.h"

struct login {
    enum login_state state;
    bool forgotten;          /* By who asked: the verifier frees it. */
    const struct user *user; /* NULL: there is none by that name. */
    int64_t due_ns;          /* Of a refusal. */
    login_done *done;
    void *argument;
    struct login *next;
    char password[PASSWORD_SIZE_MAX];
};

struct login_list {
    struct login *first;
    struct login *last;
};

/* What one user was last taken with. */
struct remembered {
    bool known;
    uint64_t tag;
};

struct verifier {
    /* Constant after open. */
    const struct users *users; /* Borrowed. */
    struct siphash_key secret;
    pthread_t thread;
    /* Owner: the thread. */
    _Atomic uint64_t shared_refused;
    /* Under lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopped;
    uint32_t count;            /* Logins in both lists, and the one at work. */
    struct login_list asked;   /* In the order they came. */
    struct login_list refused; /* Not told yet, in the order they are due. */
    struct remembered remembered[USERS_MAX];
};

static void list_push(struct login_list *list, struct login *login)
{
    login->next = NULL;
    if (list->first == NULL) {
        list->first = login;
    } else {
        list->last->next = login;
    }
    list->last = login;
}

static struct login *list_pop(struct login_list *list)
{
    struct login *login = list->first;
    list->first = login->next;
    return login;
}

static void login_free(struct login *login)
{
    secret_wipe(login->password, sizeof(login->password));
    heap_free(login);
}

/* Of a password that is padded with zeros to its greatest size: who reads this memory, but not the
 * secret, learns nothing of it. */
static uint64_t password_tag(const struct verifier *verifier,
                             const char password[PASSWORD_SIZE_MAX])
{
    return siphash_tag(&verifier->secret, (const uint8_t *)password, PASSWORD_SIZE_MAX,
                       SIPHASH_NO_HOLE);
}

static uint32_t index_of(const struct verifier *verifier, const struct user *user)
{
    return (uint32_t)(user - verifier->users->user);
}

/* Ends the wait of a login under the lock, which is free while done() runs: it may ask again. */
static void login_tell(struct verifier *verifier, struct login *login, enum login_state state)
{
    login_done *done = login->done;
    void *argument = login->argument;
    verifier->count--;
    if (login->forgotten) {
        login_free(login);
        return;
    }
    login->state = state;
    (void)pthread_mutex_unlock(&verifier->lock);
    done(argument);
    (void)pthread_mutex_lock(&verifier->lock);
}

/* Verifies the next login, with the lock free meanwhile. */
static void login_verify(struct verifier *verifier)
{
    struct login *login = list_pop(&verifier->asked);
    if (login->forgotten) {
        login_tell(verifier, login, LOGIN_REFUSED);
        return;
    }
    /* Without a user the first one's hash takes the time. */
    const char *hash = (login->user != NULL ? login->user : &verifier->users->user[0])->hash;
    (void)pthread_mutex_unlock(&verifier->lock);
    bool matches = password_matches(hash, login->password) && login->user != NULL;
    uint64_t tag = matches ? password_tag(verifier, login->password) : 0;
    (void)pthread_mutex_lock(&verifier->lock);
    if (matches) {
        verifier->remembered[index_of(verifier, login->user)] =
            (struct remembered){.known = true, .tag = tag};
        login_tell(verifier, login, LOGIN_TAKEN);
    } else {
        atomic_fetch_add_explicit(&verifier->shared_refused, 1, memory_order_relaxed);
        login->due_ns = clock_steady_ns() + VERIFIER_REFUSAL_DELAY_NS;
        list_push(&verifier->refused, login);
    }
}

static void wait_until(struct verifier *verifier, int64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_SECOND),
                             .tv_nsec = (long)(until_ns % NS_PER_SECOND)};
    (void)pthread_cond_timedwait(&verifier->wake, &verifier->lock, &until);
}

static void *verifier_run(void *argument)
{
    struct verifier *verifier = argument;
    (void)pthread_mutex_lock(&verifier->lock);
    while (!verifier->stopped) {
        struct login *refused = verifier->refused.first;
        if (refused != NULL && refused->due_ns <= clock_steady_ns()) {
            login_tell(verifier, list_pop(&verifier->refused), LOGIN_REFUSED);
        } else if (verifier->asked.first != NULL) {
            login_verify(verifier);
        } else if (refused != NULL) {
            wait_until(verifier, refused->due_ns);
        } else {
            (void)pthread_cond_wait(&verifier->wake, &verifier->lock);
        }
    }
    while (verifier->asked.first != NULL || verifier->refused.first != NULL) {
        struct login_list *list =
            verifier->asked.first != NULL ? &verifier->asked : &verifier->refused;
        login_tell(verifier, list_pop(list), LOGIN_REFUSED);
    }
    (void)pthread_mutex_unlock(&verifier->lock);
    return NULL;
}

enum result verifier_open(const struct users *users, const struct cpu_layout *layout,
                          struct verifier **out_verifier)
{
    ASSERT(users->count > 0);
    pthread_condattr_t monotonic;
    struct verifier *verifier = heap_alloc(sizeof(*verifier));
    if (verifier == NULL) {
        return RESULT_NO_MEMORY;
    }
    *verifier = (struct verifier){.users = users};
    enum result result = secret_fill(&verifier->secret, sizeof(verifier->secret));
    if (result != RESULT_OK) {
        heap_free(verifier);
        return result;
    }
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&verifier->lock, NULL);
    (void)pthread_cond_init(&verifier->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    result = cpu_thread_start(layout, -1, "verifier", verifier_run, verifier, &verifier->thread);
    if (result != RESULT_OK) {
        verifier->stopped = true;
        verifier_close(verifier);
        return result;
    }
    *out_verifier = verifier;
    return RESULT_OK;
}

void verifier_stop(struct verifier *verifier)
{
    (void)pthread_mutex_lock(&verifier->lock);
    bool runs = !verifier->stopped;
    verifier->stopped = true;
    (void)pthread_cond_signal(&verifier->wake);
    (void)pthread_mutex_unlock(&verifier->lock);
    if (runs) {
        (void)pthread_join(verifier->thread, NULL);
    }
}

void verifier_close(struct verifier *verifier)
{
    if (verifier == NULL) {
        return;
    }
    verifier_stop(verifier);
    (void)pthread_cond_destroy(&verifier->wake);
    (void)pthread_mutex_destroy(&verifier->lock);
    secret_wipe(&verifier->secret, sizeof(verifier->secret));
    heap_free(verifier);
}

/* Under the lock. */
static bool is_remembered(const struct verifier *verifier, const struct user *user,
                          const char password[PASSWORD_SIZE_MAX])
{
    const struct remembered *remembered = &verifier->remembered[index_of(verifier, user)];
    uint64_t tag = password_tag(verifier, password);
    return remembered->known && password_bytes_equal(&tag, &remembered->tag, sizeof(tag));
}

/* Copies the password; returns the user who may have it, NULL when nobody does. */
static const struct user *claim_read(const struct verifier *verifier,
                                     const struct login_claim *claim,
                                     char password[PASSWORD_SIZE_MAX])
{
    memset(password, 0, PASSWORD_SIZE_MAX);
    if (claim->password_size >= PASSWORD_SIZE_MAX ||
        memchr(claim->password, '\0', claim->password_size) != NULL) {
        return NULL;
    }
    memcpy(password, claim->password, claim->password_size);
    return users_find(verifier->users, claim->user, claim->user_size);
}

const struct user *verifier_knows(struct verifier *verifier, const struct login_claim *claim)
{
    char password[PASSWORD_SIZE_MAX];
    const struct user *user = claim_read(verifier, claim, password);
    (void)pthread_mutex_lock(&verifier->lock);
    if (user != NULL && !is_remembered(verifier, user, password)) {
        user = NULL;
    }
    (void)pthread_mutex_unlock(&verifier->lock);
    secret_wipe(password, sizeof(password));
    return user;
}

enum login_state verifier_ask(struct verifier *verifier, const struct login_claim *claim,
                              login_done *done, void *argument, struct login **out_login,
                              const struct user **out_user)
{
    enum login_state state = LOGIN_REFUSED;
    struct login *login = heap_alloc(sizeof(*login));
    if (login == NULL) {
        return LOGIN_REFUSED;
    }
    *login = (struct login){.done = done, .argument = argument};
    login->user = claim_read(verifier, claim, login->password);
    (void)pthread_mutex_lock(&verifier->lock);
    if (login->user != NULL && is_remembered(verifier, login->user, login->password)) {
        state = LOGIN_TAKEN;
        *out_user = login->user;
    } else if (!verifier->stopped && verifier->count < VERIFIER_LOGINS_MAX) {
        state = LOGIN_WAITS;
        *out_login = login;
        verifier->count++;
        list_push(&verifier->asked, login);
        (void)pthread_cond_signal(&verifier->wake);
    }
    (void)pthread_mutex_unlock(&verifier->lock);
    if (state != LOGIN_WAITS) {
        login_free(login);
    }
    return state;
}

enum login_state verifier_look(struct verifier *verifier, const struct login *login,
                               const struct user **out_user)
{
    (void)pthread_mutex_lock(&verifier->lock);
    enum login_state state = login->state;
    if (state == LOGIN_TAKEN) {
        *out_user = login->user;
    }
    (void)pthread_mutex_unlock(&verifier->lock);
    return state;
}

void verifier_forget(struct verifier *verifier, struct login *login)
{
    (void)pthread_mutex_lock(&verifier->lock);
    bool told = login->state != LOGIN_WAITS;
    login->forgotten = true;
    (void)pthread_mutex_unlock(&verifier->lock);
    if (told) {
        login_free(login);
    }
}

uint64_t verifier_refused(const struct verifier *verifier)
{
    return atomic_load_explicit(&verifier->shared_refused, memory_order_relaxed);
}
