# SPDX-License-Identifier: GPL-2.0-or-later
# `make help` says what there is to make.

VERSION := 0.1.0

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
SCHEMADIR ?= $(DATADIR)/conntap/schema
BUILD ?= build
PKG_CONFIG ?= pkg-config
INSTALL ?= install
CLANG_FORMAT ?= clang-format
CFLAGS ?= -O2 -g

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual
LIBS := libmnl libnetfilter_conntrack
# Asked for when first used: `make deps` has to work before pkg-config is there.
LIBS_CFLAGS = $(eval LIBS_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(LIBS)))$(LIBS_CFLAGS)
LIBS_LDLIBS = $(eval LIBS_LDLIBS := $$(shell $(PKG_CONFIG) --libs $(LIBS)))$(LIBS_LDLIBS)
ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DCONNTAP_VERSION='"$(VERSION)"' $(LIBS_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 -pthread $(WARNINGS) $(CFLAGS)
ALL_LDLIBS = $(LIBS_LDLIBS) -pthread $(LDLIBS)

# Quiet unless V=1.
ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
endif

objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
CORE := $(call objects,common/*.c)
EXPORT := $(call objects,plugins/export/*.c)
CLI := $(call objects,plugins/cli/*.c)
SCHEMAS := $(wildcard plugins/export/*.rng)
SOURCES := $(wildcard common/*.[ch] plugins/*/*.[ch] tests/*/*.[ch])

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
LAB := $(addprefix $(BUILD)/tests/,traffic record synthesise flood)
BENCH := $(addprefix $(BUILD)/tests/,flood floor measure)
RING_UNIT := $(UNIT) tests/layers.t
RING_NETNS := $(wildcard tests/netns/*.t)

.PHONY: all
all: $(BUILD)/conntap

.PHONY: help
help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make            build conntap, in build/
#: make V=1        the same, showing each command
#: make deps       install what is needed to build and test (as root), or say what is
#: make check      run all tests, installing what they need
#: make bench      measure a million flows (as root; a few minutes)
#: make demo       show conntap on live flows, in a private network namespace
#: make install    PREFIX=/usr/local, DESTDIR= for packagers; make uninstall undoes it
#: make asan       the unit tests under the address and undefined-behaviour sanitizers
#: make fuzz       fuzz the decoder for FUZZ_SECONDS=60 (clang)
#: make format     lay the sources out; make lint checks that, and more

$(BUILD)/libconntap.a: $(CORE)
	$(call say,AR,$@)$(RM) $@; $(AR) rcs $@ $^

$(BUILD)/conntap: $(CLI) $(EXPORT) $(BUILD)/libconntap.a
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Tests: a program each.

$(BUILD)/tests/test_%: $(BUILD)/tests/unit/test_%.o $(call objects,tests/unit/support*.c) \
		$(EXPORT) $(BUILD)/libconntap.a
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(ALL_LDLIBS)

$(BUILD)/tests/traffic: $(call objects,tests/netns/traffic*.c)
$(BUILD)/tests/record: $(BUILD)/tests/netns/record.o
$(BUILD)/tests/synthesise: $(BUILD)/tests/netns/synthesise.o
$(BUILD)/tests/flood: $(BUILD)/tests/bench/flood.o
$(BUILD)/tests/floor: $(BUILD)/tests/bench/floor.o
$(BUILD)/tests/measure: $(BUILD)/tests/bench/measure.o
$(sort $(LAB) $(BENCH)):
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

.SECONDARY: # keep the tests' objects

.PHONY: deps
deps:
	@./deps.sh

# make reads what it builds with only after deps.sh has installed it.
.PHONY: check
check: deps
	@$(MAKE) --no-print-directory run-tests RING='$(RING_UNIT) $(RING_NETNS)'

.PHONY: check-unit
check-unit: deps
	@$(MAKE) --no-print-directory run-tests RING='$(RING_UNIT)'

.PHONY: tests
tests: $(BUILD)/conntap $(UNIT) $(LAB)

.PHONY: run-tests
run-tests: tests
	$(Q)CONNTAP_BUILD='$(BUILD)' CMOCKA_MESSAGE_OUTPUT=tap LC_ALL=C.UTF-8 \
		prove --timer --merge --exec '' $(PROVE_FLAGS) $(RING)

.PHONY: asan
asan:
	@$(MAKE) --no-print-directory check-unit CC='$(CC)' BUILD='$(BUILD)-asan' \
		CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all'

.PHONY: bench
bench: $(BUILD)/conntap $(BENCH)
	$(Q)BUILD='$(BUILD)' tests/bench/run.sh $(BENCH_FLAGS)

FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz:
	@mkdir -p $(BUILD)/fuzz/corpus
	$(call say,FUZZ,decoder)clang $(ALL_CPPFLAGS) $(WARNINGS) -std=gnu11 -g -O1 \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $(BUILD)/fuzz/decode tests/fuzz/decode.c common/decode.c common/flow.c \
		common/text.c plugins/export/*.c common/label.c $(ALL_LDLIBS)
	$(Q)$(BUILD)/fuzz/decode -max_total_time=$(FUZZ_SECONDS) -max_len=1024 \
		$(BUILD)/fuzz/corpus tests/data

.PHONY: demo
demo: deps
	@$(MAKE) --no-print-directory $(BUILD)/conntap $(LAB)
	$(Q)CONNTAP_BUILD='$(BUILD)' tests/netns/lab.sh tests/netns/demo.sh

.PHONY: install
install: all
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(SCHEMADIR)
	$(INSTALL) -m 0755 $(BUILD)/conntap $(DESTDIR)$(SBINDIR)/conntap
	sed 's,/usr/local/share/conntap/schema,$(SCHEMADIR),' plugins/cli/conntap.1 \
		>$(DESTDIR)$(MANDIR)/man1/conntap.1
	chmod 0644 $(DESTDIR)$(MANDIR)/man1/conntap.1
	$(INSTALL) -m 0644 $(SCHEMAS) $(DESTDIR)$(SCHEMADIR)

.PHONY: uninstall
uninstall:
	$(RM) $(DESTDIR)$(SBINDIR)/conntap $(DESTDIR)$(MANDIR)/man1/conntap.1
	$(RM) $(addprefix $(DESTDIR)$(SCHEMADIR)/,$(notdir $(SCHEMAS)))

.PHONY: format
format:
	$(CLANG_FORMAT) -i $(SOURCES)

.PHONY: lint
lint:
	$(CLANG_FORMAT) --dry-run --Werror $(SOURCES)
	mandoc -T lint -W warning plugins/cli/conntap.1
	prove tests/layers.t

.PHONY: clean
clean:
	$(RM) -r $(BUILD) $(BUILD)-*

-include $(patsubst %.o,%.d,$(CORE) $(EXPORT) $(CLI))
-include $(wildcard $(BUILD)/tests/*/*.d)
