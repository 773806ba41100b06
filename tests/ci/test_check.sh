# Each check of `make check` passes a tree without fault, and fails on a planted violation with a
# message that names the file, and the line where there is one.
source tests/ci/expect.sh

check() {
    bash ci/check.sh "$1"
}

# --- core: on the list or not at all ---

small_tree
expect_pass 'assertions, strings and constant tables are allowed in the core' check core

# FUNCTION, HEADER, CALL: each is a way out of the core.
while read -r function header call; do
    cat >pipeline/leak.c <<END
#define _GNU_SOURCE
#include <$header>
#include <stddef.h>
void leak(void);
void leak(void) {
    (void)$call;
}
END
    expect_fail "the core may not call $function" "^pipeline/leak.c:6: .*\"$function\"" check core
done <<'END'
time time.h time(NULL)
clock_gettime time.h clock_gettime(0,&(struct timespec){0})
rand stdlib.h rand()
getrandom sys/random.h getrandom(NULL,0,0)
getenv stdlib.h getenv("HOME")
pthread_exit pthread.h (pthread_exit(NULL),1)
fopen stdio.h fopen("a","r")
puts stdio.h puts("a")
open fcntl.h open("a",0)
socket sys/socket.h socket(0,0,0)
setlocale locale.h setlocale(0,NULL)
strtod stdlib.h strtod("1",NULL)
log math.h (*(volatile double *)NULL = log((double)(size_t)&leak))
END
rm pipeline/leak.c

# DECLARATION: each is state that two machines would share.
while read -r declaration; do
    cat >pipeline/state.c <<END
int state_next(void);
$declaration
int state_next(void) {
    return (int)state++;
}
END
    expect_fail "the core keeps no global: $declaration" '^pipeline/state.c(:2)?: .*"state"' check core
done <<'END'
static int state;
static long state = 7;
_Thread_local short state;
END
printf 'int count(void);\nint count(void) {\n    static int calls;\n    return ++calls;\n}\n' >pipeline/state.c
expect_fail 'a static local is state too' '^pipeline/state.c(:3)?: .*"calls' check core
printf 'broken\n' >pipeline/state.c
expect_fail 'a core that does not compile is not clean' '^pipeline/state.c:1' check core
rm pipeline/*.c
expect_fail 'an empty core is not a clean one' '^pipeline/' check core

# --- includes: one way ---

small_tree
expect_pass 'a host may include the core' check includes
printf '#include <stdio.h>\n\n#  include "sim/host.h"\n' >pipeline/back.c
expect_fail 'the core includes nothing but itself' \
    '^pipeline/back.c:3: pipeline/ may not include sim/' check includes
expect_said 'and so the folders go round in a circle' '^folders .* in a circle: .*pipeline'
small_tree
printf '#include <sim/host.h>\n' >reports/page.c
expect_fail 'angle brackets hide nothing; reports never drive a run' '^reports/page.c:1: ' check includes
small_tree
mkdir cli
printf '#include "cli/args.h"\n' >sim/host.c
expect_fail 'only the command line sees all' '^sim/host.c:1: sim/ may not include cli/' check includes
small_tree
printf '#include "core.h"\n' >pipeline/near.c
expect_fail 'paths start at the root' '^pipeline/near.c:1: .*root' check includes
small_tree
printf '#include "sim/b.h"\n' >sim/a.h
printf '#include "sim/a.h"\n' >sim/b.h
expect_fail 'headers go round in no circle' '^headers .* circle: .*sim/a.h' check includes

# --- headers: alone ---

small_tree
expect_pass 'headers without fault compile alone' check headers
printf 'uint64_t f(void);\n' >sim/needy.h
expect_fail 'a header brings what it needs' '^sim/needy.h:1: does not compile alone with gcc' check headers
printf 'struct twice {\n    int a;\n};\n' >sim/needy.h
expect_fail 'a header has a guard' '^sim/needy.h:1: does not compile alone' check headers
printf 'static inline int* f(int *p) {\n    int q = *p;\n    return p;\n}\n' >sim/needy.h
expect_fail 'a header has no warning' '^sim/needy.h:1: ' check headers

# --- warnings: none, from either compiler ---

small_tree
expect_pass 'sources without fault compile without a warning' check warnings
printf 'int f(long n);\nint f(long n) {\n    return n;\n}\n' >sim/narrow.c
expect_fail 'gcc warns and so it fails' '^sim/narrow.c:3:.*\[-Werror=conversion\]' check warnings
expect_said 'clang is asked too' '^sim/narrow.c:3:.*shorten-64-to-32'

# --- names: each defined once ---

small_tree
expect_pass 'names that are defined once pass' check names
printf '#include "pipeline/core.h"\nconst char *core_name(int number) {\n    return number ? "" : 0;\n}\n' >sim/again.c
expect_fail 'a name that two sources define is found before a program needs both' \
    '^sim/again.c:2: "core_name" is defined by pipeline/core.c:8 as well' check names

# --- layout: as .clang-format says ---

small_tree
expect_pass 'sources laid out by the rules pass' check layout
printf 'int  f ( void ) ;\n' >sim/odd.h
if [ "$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')" = 14 ]; then
    expect_fail 'other layout fails' '^sim/odd.h:1:' check layout
    expect_pass 'make format mends it' make -s format
    expect_pass 'and then it passes' check layout
fi

# --- words: none of the work process ---

small_tree
expect_pass 'sources without such words pass' check words
while read -r sentence; do
    printf '/*\n * %s\n */\n' "$(sed 's/_//' <<<"$sentence")" >sim/note.h
    expect_fail "not in a comment: $sentence" '^sim/note.h:2: ' check words
done <<'END'
TO_DO: later
this is a FIX_ME
X_XX what is this
an ugly HA_CK
done for #_12
(see #_7)
see issue_ 3
read /wo_rk/main
END
printf '/* XXXXXX, &#39; $# hackney */\nconst char *colour = "#333333";\n' >sim/note.h
expect_pass 'templates, references and colours are none' check words
rm sim/note.h
mkdir -p tests/sim
printf 'int events = seen("resend #%d", "#%d embed");\n' 7 8 >tests/sim/test_note.c
expect_pass 'nor are events that a test expects' check words
printf '/* "See" #%d. */\n' 7 >tests/sim/test_note.c
expect_fail 'but comments of tests are looked at' '^tests/sim/test_note.c:1: ' check words
printf 'int told = say("see #%d");\n' 7 >sim/note.c
expect_fail 'and so is what the program says' '^sim/note.c:1: ' check words

# --- requirements: every promise, and nothing that is not there ---

small_tree
mkdir docs scenarios bench
touch scenarios/calm.json
printf '{"hold"}\n' >bench/main.c
rows() {
    echo '# What'
    for range in A:17 B:11 C:8 D:12; do
        for ((i = 1; i <= ${range#*:}; i++)); do
            echo "| ${range%:*}$i | a promise | ${1} |"
        done
    done
}
rows 'scenario:calm, `test:pipeline/core.c:core_name` bench:hold, test:ci/check.sh' \
    >docs/requirements.md
expect_pass 'scenarios, tests and benchmarks that exist show a promise' check requirements
expect_said 'none is open' ' 0 open'
rows open >docs/requirements.md
expect_pass 'open is said and not hidden' check requirements
expect_said 'and counted' ' 48 open'
while read -r entry message; do
    rows open | sed "3s/open/$entry/" | sed 's/SLASH/\//g' >docs/requirements.md
    expect_fail "what is not there shows nothing: $entry" "^docs/requirements.md:3: A2: .*$message" \
        check requirements
done <<'END'
scenario:storm scenarios/storm.json
test:simSLASHgone.c:f sim/gone.c
test:pipelineSLASHcore.c:core_nam core_nam$
test:ciSLASHgone.sh ci/gone.sh
test:pipelineSLASHcore.c 'test:pipeline/core.c' is none of
bench:pipeline "pipeline"
soon soon
scenario:calm,bench:x "x"
END
rows open | sed '3s/open//' >docs/requirements.md
expect_fail 'an empty row is not an open one' '^docs/requirements.md:3: A2: nothing' check requirements
rows open | sed 3d >docs/requirements.md
expect_fail 'each promise has a row' 'A2: has no row' check requirements
rows open | sed 's/| A2 /| A1 /' >docs/requirements.md
expect_fail 'and only one' '^docs/requirements.md:3: A1: has a row already' check requirements
rows open | sed 's/| A2 /| A42 /' >docs/requirements.md
expect_fail 'and no promise is made up' '^docs/requirements.md:3: A42: ' check requirements
rm docs/requirements.md
expect_fail 'the page itself must be there' '^docs/requirements.md: is missing' check requirements

# --- links: to what is there ---

small_tree
mkdir -p docs scenarios
touch scenarios/calm.json
cat >README.md <<'END'
[the page](docs/page.md), [the web](https://example.org/gone.md), [below](#below), `make check`
END
cat >docs/page.md <<'END'
[calm](../scenarios/calm.json) and [the start](../README.md#below), ![drawn](page.md);
[core.c:core_name](../pipeline/core.c), [`core.h:core_name`](../pipeline/core.h), `pipeline/core.c:core_name`
END
expect_pass 'links to files and functions that are there pass' check links
expect_said 'each is looked up' '^links: 9 looked up'
while read -r text; do
    read -r message
    printf '# Page\n\n[calm](../scenarios/calm.json), %s\n' "$text" >docs/page.md
    expect_fail "a page does not rot: $text" "^docs/page.md:3: $message" check links
done <<'END'
[storm](../scenarios/storm.json)
there is no docs/../scenarios/storm.json
![drawn](gone.svg)
there is no docs/gone.svg
[core.c:core_nam](../pipeline/core.c)
docs/../pipeline/core.c has no function core_nam
[gone.c:core_name](../pipeline/core.c)
a link to docs/../pipeline/core.c is called gone.c
`pipeline/gone.c:core_name`
there is no pipeline/gone.c
`pipeline/core.c:core_nam`
pipeline/core.c has no function core_nam
END
rm docs/page.md
expect_fail 'README is looked at too' '^README.md:1: there is no docs/page.md' check links
rm README.md
printf '    X(RELAY, relay, LEASED)  \\\n    X(GATE, gate, LEASED)\n' >pipeline/machine.h
printf '<svg>\n<text>relay, gate</text>\n<path marker-end="url(#tip)"/></svg>\n' >docs/architecture.svg
expect_pass 'a diagram that names every machine passes' check links
sed -i 's/gate/gates/' docs/architecture.svg
expect_fail 'a machine that it forgets is missed' \
    '^docs/architecture.svg:1: the machine gate is not in' check links
printf '<text>relay, gate</text>\n<script href="x"/>\n' >docs/architecture.svg
expect_fail 'and it runs no script' '^docs/architecture.svg:2: a diagram runs no script' check links

# --- all of them ---

small_tree
expect_fail 'one red check makes make check red' '^FAILED  requirements' bash ci/check.sh
expect_said 'and the others still run, and are counted' '^8 passed, 1 failed$'
expect_fail 'a check that does not exist is no pass' "no check 'colour'" check colour
expect_end
