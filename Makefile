# azlab: `make` builds everything, `make check` runs the tests that need no privileges; scripts/ has the rest.
#   CC=clang   the other compiler        DEV=1   warnings are errors
#   SAN=1      ASan and UBSan (O=build/san by default)
O := $(if $(SAN),build/san,build)
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
LIBS := libevent libfyaml jansson ldns libbpf libmnl libnl-route-3.0 libcap zlib libxml-2.0
FLAGS = -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -MMD -MP -I. -Inodes -Ibpf -I$O/bpf \
	$(shell pkg-config --cflags $(LIBS)) $(or $(CFLAGS),-O2 -g) $(if $(DEV),-Werror) \
	$(if $(SAN),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
# a daemon loads no library that it doesn't use: one process a zone, or many, stands on each
LDLIBS := -Wl,--as-needed $(shell pkg-config --libs $(LIBS)) -lhttp_parser -llmdb -lm

folder_objs = $(patsubst %.c,$O/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c)))
SKELS := $(patsubst bpf/%.bpf.c,$O/bpf/%.skel.h,$(wildcard bpf/*.bpf.c))
DAEMONS := $(patsubst nodes/%/main.c,%,$(wildcard nodes/*/main.c))
FOLDERS := $(sort $(patsubst %/,%,$(dir $(wildcard orchestrator/*/*.c nodes/*/*.c))))
ARCHIVES := $(FOLDERS:%=$O/%.a)
TESTS := $(patsubst %.c,$O/%,$(wildcard tests/unit/*/test_*.c tests/netns/test_*.c))
BENCHES := $(patsubst %.c,$O/%,$(wildcard tests/bench/*.c))
TEST_TOOLS := $(patsubst %.c,$O/%,$(wildcard tests/scenarios/*.c tests/tools/*.c)) $O/tests/model/replay $O/tests/model/observe
FUZZERS := $(patsubst %.c,$O/%,$(wildcard tests/fuzz/fuzz_*.c))
DAEMON_BINS := $(DAEMONS:%=$O/azlab-%)
BINS := $(DAEMON_BINS) $(if $(wildcard orchestrator/main.c),$O/azlab)
# -target bpf skips the multiarch directory: ask the host compiler where asm/types.h lives
ASM_INC := $(patsubst %/asm/types.h,%,$(filter %/asm/types.h,$(shell $(CC) -M -include asm/types.h -xc /dev/null)))

all: $(BINS)
tests: all $(TESTS) $(TEST_TOOLS)
bench: all $(BENCHES) $(TEST_TOOLS)
fuzzers: $(FUZZERS)
check: tests ; scripts/run-tests $(filter $O/tests/unit/%,$(TESTS))
lint: all ; scripts/lint
format: ; clang-format -i $$(git ls-files '*.[ch]')
clean: ; rm -rf build
print-flags: ; @echo '$(filter-out -MMD -MP -Werror,$(FLAGS))' # for clang-tidy

$O/bpf/vmlinux.h: ; @mkdir -p $(@D) && bpftool btf dump file /sys/kernel/btf/vmlinux format c > $@
$O/bpf/%.bpf.o: bpf/%.bpf.c $O/bpf/vmlinux.h
	@mkdir -p $(@D)
	clang -target bpf -mcpu=v3 -g -O2 -Wall -Werror -MMD -MP -Ibpf -I$O/bpf -idirafter $(ASM_INC) -c $< -o $@
$O/bpf/%.skel.h: $O/bpf/%.bpf.o ; bpftool gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@
$O/orchestrator/verdict/report_assets.o: $(wildcard orchestrator/verdict/report/*) # which it embeds
# what Knot is given (preload/knot_clock.c says why) is part of the program that starts Knot
$O/preload/%.so: preload/%.c ; @mkdir -p $(@D) && $(CC) -std=gnu17 -Wall -Wextra -O2 -shared -fPIC $< -o $@
$O/orchestrator/lab/knot_clock.o: $O/preload/knot_clock.so
$O/orchestrator/lab/knot_clock.o: FLAGS += -DKNOT_CLOCK_LIBRARY='"$O/preload/knot_clock.so"'
$O/%.o: %.c | $(SKELS) ; @mkdir -p $(@D) && $(CC) $(FLAGS) -c $< -o $@

define archive
$O/$(1).a: $(call folder_objs,$(1)) ; @mkdir -p $$(@D) && rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive,$(f))))

LINK = @mkdir -p $(@D) && $(CC) $(FLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)
SHARED := $(filter $O/nodes/common.a $O/nodes/proto.a $O/nodes/policy.a,$(ARCHIVES))
$(DAEMON_BINS): $O/azlab-%: $O/nodes/%/main.o $O/nodes/%.a $(SHARED) ; $(LINK) -o $@
$O/azlab: $O/orchestrator/main.o $(filter $O/orchestrator/%.a,$(ARCHIVES)) $(SHARED) ; $(LINK) -o $@
$(TESTS): $O/%: $O/%.o $O/tests/netns/testnet.o $O/tests/netns/testnode.o $(ARCHIVES) ; $(LINK) -lcmocka -o $@
$(BENCHES) $(TEST_TOOLS): $O/%: $O/%.o $O/tests/netns/testnet.o $O/tests/netns/testnode.o $(ARCHIVES) ; $(LINK) -o $@
$O/tests/model/replay: $(patsubst %.c,$O/%.o,$(filter-out %/replay.c %/observe.c,$(wildcard tests/model/*.c)))
# fuzzers are their own build: clang, libFuzzer and the sources they name in their first line ("// with: FILE...")
sources_named_in = $(wildcard $(shell sed -n 's|^// with: ||p' $(1)))
.SECONDEXPANSION:
$(FUZZERS): $O/%: %.c $$(call sources_named_in,%.c) $(wildcard bpf/*.h nodes/*/*.h orchestrator/*/*.h) | $(SKELS)
	@mkdir -p $(@D)
	clang $(filter-out -MMD -MP,$(FLAGS)) -fsanitize=fuzzer,address,undefined $(filter %.c,$^) $(LDLIBS) -o $@

-include $(shell find $O -name '*.d' 2>/dev/null)
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tests bench fuzzers check lint format clean print-flags
