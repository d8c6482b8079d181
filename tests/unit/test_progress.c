#include "controlplane/progress.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/unit.h"

#define TEXT_SIZE 4096

/* What the calls write to stderr, where that is a terminal, or a file. */
static const char *written(bool terminal, bool wanted, void show(struct progress *progress))
{
    static char text[TEXT_SIZE];
    char path[] = "/tmp/freshet-progress-XXXXXX";
    int kept = dup(STDERR_FILENO);
    int reader = terminal ? posix_openpt(O_RDWR | O_NOCTTY) : mkstemp(path);
    assert_true(kept >= 0 && reader >= 0);
    int writer = reader;
    if (terminal) {
        assert_int_equal(grantpt(reader), 0);
        assert_int_equal(unlockpt(reader), 0);
        writer = open(ptsname(reader), O_RDWR | O_NOCTTY);
        assert_true(writer >= 0);
        assert_int_equal(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
    }
    assert_true(dup2(writer, STDERR_FILENO) >= 0);
    struct progress progress;
    progress_begin(&progress, wanted);
    show(&progress);
    ssize_t size =
        terminal ? read(reader, text, sizeof(text) - 1) : pread(reader, text, sizeof(text) - 1, 0);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    text[size < 0 ? 0 : size] = '\0';
    if (terminal) {
        assert_int_equal(close(writer), 0);
    } else {
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(close(reader), 0);
    assert_int_equal(close(kept), 0);
    return text;
}

static void lines_show(struct progress *progress)
{
    assert_true(progress_is_due(progress) == progress->shows);
    assert_false(progress_is_due(progress));
    progress_show(progress, "%u of %u done", 10u, 12u);
    progress_show(progress, "done");
    progress_end(progress);
    progress_end(progress);
}

static void nothing_show(struct progress *progress)
{
    progress_end(progress);
}

static void a_line_is_written_over_the_one_before_and_ended_once(void **state)
{
    (void)state;
    assert_string_equal(written(true, true, lines_show), "\r10 of 12 done\rdone         \r\n");
    assert_string_equal(written(true, true, nothing_show), "");
}

static void nothing_is_shown_unwanted_or_where_there_is_no_terminal(void **state)
{
    (void)state;
    assert_string_equal(written(true, false, lines_show), "");
    assert_string_equal(written(false, true, lines_show), "");
}

static void what_is_left_goes_by_what_was_done(void **state)
{
    (void)state;
    struct progress progress;
    progress_begin(&progress, true);
    progress.begin_ns -= INT64_C(10) * 1000000000;
    assert_true(progress_seconds(&progress) >= 10);
    assert_true(progress_seconds_left(&progress, 0, 100) == 0);
    assert_true(progress_seconds_left(&progress, 100, 100) == 0);
    assert_true(progress_seconds_left(&progress, 101, 100) == 0);
    double left = progress_seconds_left(&progress, 25, 100);
    assert_true(left >= 30 && left < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_written_over_the_one_before_and_ended_once),
        cmocka_unit_test(nothing_is_shown_unwanted_or_where_there_is_no_terminal),
        cmocka_unit_test(what_is_left_goes_by_what_was_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
