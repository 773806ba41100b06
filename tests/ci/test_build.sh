# The Makefile builds what is there, builds again what it must and nothing else.
source tests/ci/expect.sh

small_tree
mkdir -p cli tests/sim bench scenarios
cat >cli/murphy.c <<'END'
#include "pipeline/core.h"

#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

int main(void) {
    sqlite3 *db;
    sqlite3_stmt *now;
    sqlite3_open(":memory:", &db);
    sqlite3_prepare_v2(db, "select strftime('%s', 'now')", -1, &now, NULL);
    sqlite3_step(now);
    printf("%s %s %s %d\n", MURPHY_SCENARIOS_DIR, core_name(1), sqlite3_column_text(now, 0),
           (int)time(NULL));
    sqlite3_finalize(now);
    sqlite3_close(db);
    return 0;
}
END
cat >sim/clock_shim.c <<'END'
#include "sim/clock_shim.h"

#include <sys/time.h>
#include <time.h>

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    (void)zone;
    *t = (struct timeval){.tv_sec = 7};
    return 0;
}
time_t time(time_t *t) {
    (void)t;
    return shim_seconds();
}
END
echo 'int shim_seconds(void);' >sim/clock_shim.h
printf '#include "sim/clock_shim.h"\nint shim_seconds(void) {\n    return 7;\n}\n' >sim/clock_shim_page.c
cat >sim/clock_shim_preload.c <<'END'
#include "sim/clock_shim.h"

#include <time.h>

time_t time(time_t *t) {
    (void)t;
    return 2 * shim_seconds();
}
END
cat >tests/sim/say_time.c <<'END'
#include <stdio.h>
#include <time.h>
int main(void) {
    printf("it is %d\n", (int)time(NULL));
    return 0;
}
END

expect_pass 'a tree is built' make WERROR=1
expect_unsaid 'without a warning' warning
expect_pass 'and with other flags once more' make
expect_pass 'the program runs' build/murphy
expect_said 'it knows its scenarios; its clock is the shim, for libsqlite3 as well' \
    '^../scenarios one 7 7$'
expect_pass 'with nothing changed' make
expect_unsaid 'nothing is built' .

sleep 0.01
touch pipeline/core.h
expect_pass 'when a header changed' make
expect_said 'what includes it is built again' 'CC .*pipeline/core.o'
expect_said 'the program is linked again' 'LD .*build/murphy'
expect_unsaid 'and nothing else' 'clock_shim'

expect_pass 'with other flags' make OPT=-O0
expect_said 'all is built again' 'CC .*clock_shim.o'
expect_pass 'with another compiler' make OPT=-O0 CC=clang
expect_said 'too' 'CC .*clock_shim.o'

printf 'int extra(void);\nint extra(void) {\n    return 1;\n}\n' >sim/extra.c
expect_pass 'a source that comes is built' make
expect_said 'without a change of the Makefile' 'CC .*sim/extra.o'
rm sim/extra.c
expect_pass 'when it goes' make
expect_pass 'the library' ar t build/libmurphy.a
expect_unsaid 'has lost it' extra

expect_pass 'a variant elsewhere has the sanitizers' \
    make BUILD="$TMPDIR/far/away" SANITIZE=address,undefined OPT=-O1
expect_pass 'it runs' "$TMPDIR/far/away/murphy"
expect_said 'and finds the scenarios of the tree' "^[./]*/tree/scenarios one "

expect_pass 'what a suite runs is built with the suites' make tests
expect_pass 'it is a plain program' build/tests/sim/say_time
expect_unsaid 'with the clock of the system' 'it is 7$'
expect_pass 'the preload library' env LD_PRELOAD=build/libmurphyclock.so build/tests/sim/say_time
expect_said 'gives it another' '^it is 14$'

printf 'int f(long n);\nint f(long n) {\n    return n;\n}\n' >sim/narrow.c
expect_fail 'in CI a warning is an error' 'narrow.c:3' make WERROR=1
expect_pass 'make help' make help
expect_said 'lists what there is' '^  demo +install'
expect_pass 'make clean' make clean
expect_fail 'leaves nothing' 'No such file' ls build
expect_end
