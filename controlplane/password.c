#include "controlplane/password.h"

#include <crypt.h>
#include <string.h>

#include "drivers/memory.h"
#include "drivers/secret.h"

#define METHOD "$y$" /* yescrypt, the default of Debian 12's own passwords. */

_Static_assert(USER_HASH_SIZE_MAX >= CRYPT_OUTPUT_SIZE, "every hash of crypt(3) has room");
_Static_assert(PASSWORD_SIZE_MAX <= CRYPT_MAX_PASSPHRASE_SIZE, "crypt(3) takes every password");

/* Hashes with setting. crypt(3) works in 32 KiB, too much for a stack. */
static bool hash_with(const char *password, const char *setting, char out_hash[USER_HASH_SIZE_MAX])
{
    struct crypt_data *data = heap_alloc(sizeof(*data));
    if (data == NULL) {
        return false;
    }
    memset(data, 0, sizeof(*data));
    const char *hash = crypt_rn(password, setting, data, (int)sizeof(*data));
    bool good = hash != NULL && strlen(hash) < USER_HASH_SIZE_MAX;
    if (good) {
        memcpy(out_hash, hash, strlen(hash) + 1);
    }
    secret_wipe(data, sizeof(*data));
    heap_free(data);
    return good;
}

enum result password_hash(const char *password, char out_hash[USER_HASH_SIZE_MAX])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (password[0] == '\0' || strlen(password) >= PASSWORD_SIZE_MAX) {
        return RESULT_INVALID;
    }
    if (crypt_gensalt_rn(METHOD, 0, NULL, 0, setting, (int)sizeof(setting)) == NULL ||
        !hash_with(password, setting, out_hash)) {
        return RESULT_SYSTEM;
    }
    return RESULT_OK;
}

bool password_hash_is_usable(const char *hash)
{
    uint32_t parts = 0;
    for (const char *at = hash; *at != '\0'; at++) {
        parts += *at == '$';
    }
    /* $method$parameters$hash at least; what crypt(3) thinks of the method alone. */
    return hash[0] == '$' && parts >= 3 && crypt_checksalt(hash) == CRYPT_SALT_OK;
}

bool password_matches(const char *hash, const char *password)
{
    char made[USER_HASH_SIZE_MAX] = "";
    return hash_with(password, hash, made) && strlen(made) == strlen(hash) &&
           password_bytes_equal(made, hash, strlen(hash));
}

bool password_bytes_equal(const void *left, const void *right, uint64_t size)
{
    const unsigned char *a = left;
    const unsigned char *b = right;
    unsigned char differ = 0;
    for (uint64_t i = 0; i < size; i++) {
        differ |= a[i] ^ b[i];
    }
    return differ == 0;
}
