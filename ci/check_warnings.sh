# Every source compiles with gcc and with clang without a warning.
set -u
build=${CHECK_BUILD:-build/check}
status=0
# The flags of gcc are those of ci/check_core.sh, which uses the same objects.
make -s -k V=1 WERROR=1 OPT=-O0 SANITIZE= EXTRA=-fno-pie BUILD="$build/gcc" CC=gcc objects || status=1
make -s -k V=1 WERROR=1 OPT=-O0 SANITIZE= EXTRA= BUILD="$build/clang" CC=clang objects || status=1
exit $status
