# SPDX-License-Identifier: GPL-2.0-or-later
# `make help` says what there is to make.

VERSION := 0.1.0

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
SCHEMADIR ?= $(DATADIR)/conntap/schema
EXAMPLEDIR ?= $(DATADIR)/doc/conntap/examples
# The faces for other hosts: auto is yes where the host's headers are there.
WITH_COLLECTD ?= auto
COLLECTD_CPPFLAGS ?= -isystem /usr/include/collectd
COLLECTD_PLUGINDIR ?= /usr/lib/collectd
WITH_AGENTX ?= auto
# The root of the MIB, below enterprises: the MIB itself has it, unless it is given.
MIB_ROOT ?= $(shell sed -n 's/^ *::= { enterprises \([0-9 ]*\) }$$/\1/p' mibs/CONNTAP-MIB.txt)
MIBDIR ?= $(DATADIR)/snmp/mibs
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
# Of what exports: to compress.
EXPORT_LIBS := zlib libzstd
# Of the subagent.
AGENTX_LDLIBS := -lnetsnmpagent -lnetsnmp -lcap-ng
empty :=
space := $(empty) $(empty)
EXPORT_LDLIBS = $(eval EXPORT_LDLIBS := $$(shell $(PKG_CONFIG) --libs $(EXPORT_LIBS)))$(EXPORT_LDLIBS)
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
SHARED_CORE := $(CORE:$(BUILD)/%=$(BUILD)/shared/%)
SHARED := libconntap.so.$(VERSION)
SONAME := libconntap.so.$(firstword $(subst ., ,$(VERSION)))
INTERNAL := common/hash.h common/walk.h common/condition_kinds.h common/metric_put.h
HEADERS := $(filter-out $(INTERNAL),$(wildcard common/*.h))
EXAMPLES := $(patsubst contrib/%.c,$(BUILD)/%,$(wildcard contrib/examples/*.c))
EXPORT := $(call objects,plugins/export/*.c)
CLI := $(call objects,plugins/cli/*.c)
COLLECTD := $(call objects,plugins/collectd/*.c)
ifeq ($(WITH_COLLECTD),auto)
WITH_COLLECTD := $(if $(wildcard /usr/include/collectd/core/daemon/plugin.h),yes,no)
endif
MODULES := $(if $(filter yes,$(WITH_COLLECTD)),$(BUILD)/collectd/conntap.so)
AGENTX := $(call objects,plugins/agentx/*.c)
ifeq ($(WITH_AGENTX),auto)
WITH_AGENTX := $(if $(wildcard /usr/include/net-snmp/net-snmp-config.h),yes,no)
endif
AGENT := $(if $(filter yes,$(WITH_AGENTX)),$(BUILD)/conntap-agentx)
MIB := $(BUILD)/mibs/CONNTAP-MIB.txt
SCHEMAS := $(wildcard plugins/export/*.rng)
SOURCES := $(wildcard common/*.[ch] plugins/*/*.[ch] tests/*/*.[ch] contrib/*/*.c)

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
LAB := $(addprefix $(BUILD)/tests/,traffic record synthesise flood)
BENCH := $(addprefix $(BUILD)/tests/,flood floor measure $(if $(MODULES),collectd_host) \
	$(if $(AGENT),walk bare_agent))
# With the real plugin, and a host that is a program of the tests.
FAKE := $(if $(MODULES),$(patsubst tests/fake/%.c,$(BUILD)/tests/%,$(wildcard tests/fake/test_*.c)))
RING_UNIT := $(UNIT) tests/layers.t $(FAKE) tests/symbols.t tests/mib.t tests/ecosystem.t
RING_NETNS := $(wildcard tests/netns/*.t)

.PHONY: all
all: $(BUILD)/conntap $(BUILD)/$(SHARED) $(MODULES) $(AGENT) $(MIB)

.PHONY: help
help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make            build conntap and libconntap, in build/
#: make V=1        the same, showing each command
#: make deps       install what is needed to build and test (as root), or say what is
#: make check      run all tests, installing what they need
#: make bench      measure a million flows (as root; a few minutes)
#: make demo       show conntap on live flows, in a private network namespace
#: make install    PREFIX=/usr/local, DESTDIR= for packagers; make uninstall undoes it
#: make examples   the library's examples, with the installed library (STATIC=1: without .so)
#: make asan       the unit tests under the address and undefined-behaviour sanitizers
#: make fuzz       fuzz the decoder for FUZZ_SECONDS=60 (clang)
#: make format     lay the sources out; make lint checks that, and more

$(BUILD)/libconntap.a: $(CORE)
	$(call say,AR,$@)$(RM) $@; $(AR) rcs $@ $^

# Within the library nothing is to be replaced from outside, so it calls itself directly.
$(BUILD)/$(SHARED): $(SHARED_CORE) common/libconntap.map
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -o $@ $(SHARED_CORE) \
		-Wl,-soname,$(SONAME) -Wl,--version-script,common/libconntap.map \
		-Wl,-Bsymbolic-functions -Wl,-z,defs $(ALL_LDLIBS)

$(BUILD)/conntap: $(CLI) $(EXPORT) $(BUILD)/libconntap.a
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(EXPORT_LDLIBS) $(ALL_LDLIBS)

# collectd loads it and looks for one symbol; the core inside is nobody else's business.
$(COLLECTD): ALL_CPPFLAGS += -DHAVE_CONFIG_H $(COLLECTD_CPPFLAGS)
$(COLLECTD): ALL_CFLAGS += -fPIC
$(BUILD)/collectd/conntap.so: $(COLLECTD) $(SHARED_CORE) plugins/collectd/conntap.map
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -o $@ $(COLLECTD) $(SHARED_CORE) \
		-Wl,--version-script,plugins/collectd/conntap.map $(ALL_LDLIBS)

$(AGENTX): ALL_CPPFLAGS += -DCONNTAP_MIB_ROOT='"1.3.6.1.4.1.$(subst $(space),.,$(strip $(MIB_ROOT)))"'
$(BUILD)/conntap-agentx: $(AGENTX) $(BUILD)/libconntap.a
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(AGENTX_LDLIBS) $(ALL_LDLIBS)

# The MIB with the root that the agent has.
$(MIB): mibs/CONNTAP-MIB.txt Makefile
	@mkdir -p $(@D)
	$(call say,MIB,$@)sed 's/^\( *::= { enterprises \)[0-9 ]* }$$/\1$(strip $(MIB_ROOT)) }/' $< >$@

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/shared/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$< (shared))$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<

# As any program that uses the library: nothing of this tree is in sight.
EXAMPLE_LIBS = $(if $(STATIC),\
	$(subst -lconntap,-l:libconntap.a,$(shell $(PKG_CONFIG) --static --libs conntap)),\
	$(shell $(PKG_CONFIG) --libs conntap))
.PHONY: examples $(EXAMPLES)
examples: $(EXAMPLES)
$(EXAMPLES): $(BUILD)/%: contrib/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(WARNINGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) \
		$(shell $(PKG_CONFIG) --cflags conntap) -o $@ $< $(EXAMPLE_LIBS)

# Tests: a program each.

# What the subagent has that needs nothing of Net-SNMP.
AGENTX_PURE := $(call objects,plugins/agentx/index.c plugins/agentx/touched.c)

$(BUILD)/tests/test_%: $(BUILD)/tests/unit/test_%.o $(call objects,tests/unit/support*.c) \
		$(EXPORT) $(AGENTX_PURE) $(BUILD)/libconntap.a
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(EXPORT_LDLIBS) $(ALL_LDLIBS)

# The plugin looks for the host's functions in the program that loads it.
$(call objects,tests/fake/*.c): ALL_CPPFLAGS += -DHAVE_CONFIG_H $(COLLECTD_CPPFLAGS)
$(FAKE): $(BUILD)/tests/%: $(BUILD)/tests/fake/%.o $(BUILD)/tests/fake/host.o | $(MODULES)
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -rdynamic -o $@ $^ -lcmocka $(ALL_LDLIBS)

$(BUILD)/tests/traffic: $(call objects,tests/netns/traffic*.c)
$(BUILD)/tests/record: $(BUILD)/tests/netns/record.o
$(BUILD)/tests/synthesise: $(BUILD)/tests/netns/synthesise.o
$(BUILD)/tests/flood: $(BUILD)/tests/bench/flood.o
$(BUILD)/tests/floor: $(BUILD)/tests/bench/floor.o
$(BUILD)/tests/measure: $(BUILD)/tests/bench/measure.o
# As the tests' host: the plugin looks for its functions.
$(BUILD)/tests/bench/collectd_host.o: ALL_CPPFLAGS += -DHAVE_CONFIG_H $(COLLECTD_CPPFLAGS)
$(BUILD)/tests/collectd_host: ALL_LDLIBS += -rdynamic
$(BUILD)/tests/collectd_host: $(BUILD)/tests/bench/collectd_host.o
$(BUILD)/tests/walk: $(BUILD)/tests/bench/walk.o
$(BUILD)/tests/bare_agent: ALL_LDLIBS += -lnetsnmpagent -lnetsnmp
$(BUILD)/tests/bare_agent: $(BUILD)/tests/bench/bare_agent.o
$(sort $(LAB) $(BENCH)):
	$(call say,LD,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

.SECONDARY: # keep the tests' objects

.PHONY: deps
deps:
	@./deps.sh

# make reads what it builds with only after deps.sh has installed it.  Prometheus's
# programs are not to be installed, as they would start; tests can do without them.
.PHONY: check
check: deps
	-@tests/netns/get-daemons.sh '$(BUILD)'
	@$(MAKE) --no-print-directory run-tests RING='$(RING_UNIT) $(RING_NETNS)'

.PHONY: check-unit
check-unit: deps
	@$(MAKE) --no-print-directory run-tests RING='$(RING_UNIT)'

.PHONY: tests
tests: $(BUILD)/conntap $(MODULES) $(AGENT) $(MIB) $(UNIT) $(FAKE) $(LAB)

.PHONY: run-tests
run-tests: tests
	$(Q)CONNTAP_BUILD='$(BUILD)' CMOCKA_MESSAGE_OUTPUT=tap LC_ALL=C.UTF-8 \
		prove --timer --merge --exec '' $(PROVE_FLAGS) $(RING)

.PHONY: asan
asan:
	@$(MAKE) --no-print-directory check-unit CC='$(CC)' BUILD='$(BUILD)-asan' \
		CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all'

.PHONY: bench
bench: $(BUILD)/conntap $(BENCH) $(MODULES) $(AGENT)
	$(Q)BUILD='$(BUILD)' tests/bench/run.sh $(BENCH_FLAGS)

FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz:
	@mkdir -p $(BUILD)/fuzz/corpus
	$(call say,FUZZ,decoder)clang $(ALL_CPPFLAGS) $(WARNINGS) -std=gnu11 -g -O1 \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $(BUILD)/fuzz/decode tests/fuzz/decode.c common/decode.c common/flow.c \
		common/expect.c common/text.c plugins/export/*.c common/label.c $(ALL_LDLIBS)
	$(Q)$(BUILD)/fuzz/decode -max_total_time=$(FUZZ_SECONDS) -max_len=1024 \
		$(BUILD)/fuzz/corpus tests/data

.PHONY: demo
demo: deps
	@$(MAKE) --no-print-directory $(BUILD)/conntap $(LAB)
	$(Q)CONNTAP_BUILD='$(BUILD)' tests/netns/lab.sh tests/netns/demo.sh

.PHONY: install
install: all
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(SCHEMADIR) \
		$(DESTDIR)$(DATADIR)/conntap
	$(INSTALL) -m 0755 $(BUILD)/conntap $(DESTDIR)$(SBINDIR)/conntap
	sed 's,/usr/local/share/conntap/schema,$(SCHEMADIR),' plugins/cli/conntap.1 \
		>$(DESTDIR)$(MANDIR)/man1/conntap.1
	chmod 0644 $(DESTDIR)$(MANDIR)/man1/conntap.1
	$(INSTALL) -m 0644 $(SCHEMAS) $(DESTDIR)$(SCHEMADIR)
	$(INSTALL) -m 0644 contrib/xslt/conntap.xsl $(DESTDIR)$(DATADIR)/conntap
	$(INSTALL) -d $(DESTDIR)$(INCLUDEDIR)/conntap $(DESTDIR)$(LIBDIR)/pkgconfig
	$(INSTALL) -m 0644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)/conntap
	$(INSTALL) -m 0644 $(BUILD)/libconntap.a $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 0755 $(BUILD)/$(SHARED) $(DESTDIR)$(LIBDIR)
	ln -sf $(SHARED) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libconntap.so
	sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@VERSION@,$(VERSION),' -e 's,@LIBDIR@,$(LIBDIR),' \
		-e 's,@INCLUDEDIR@,$(INCLUDEDIR),' common/libconntap.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/conntap.pc
	chmod 0644 $(DESTDIR)$(LIBDIR)/pkgconfig/conntap.pc

ifneq ($(MODULES),)
install: install-collectd
uninstall: uninstall-collectd
endif

.PHONY: install-collectd uninstall-collectd
install-collectd: $(MODULES)
	$(INSTALL) -d $(DESTDIR)$(COLLECTD_PLUGINDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(EXAMPLEDIR)
	$(INSTALL) -m 0644 plugins/collectd/collectd-conntap.5 $(DESTDIR)$(MANDIR)/man5
	$(INSTALL) -m 0644 plugins/collectd/conntap.conf $(DESTDIR)$(EXAMPLEDIR)/collectd.conf
	$(INSTALL) -m 0644 $(BUILD)/collectd/conntap.so $(DESTDIR)$(COLLECTD_PLUGINDIR)/conntap.so

uninstall-collectd:
	$(RM) $(DESTDIR)$(COLLECTD_PLUGINDIR)/conntap.so
	$(RM) $(DESTDIR)$(MANDIR)/man5/collectd-conntap.5 $(DESTDIR)$(EXAMPLEDIR)/collectd.conf

ifneq ($(AGENT),)
install: install-agentx
uninstall: uninstall-agentx
endif

.PHONY: install-agentx uninstall-agentx
install-agentx: $(AGENT) $(MIB)
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MIBDIR) \
		$(DESTDIR)$(EXAMPLEDIR)
	$(INSTALL) -m 0755 $(BUILD)/conntap-agentx $(DESTDIR)$(SBINDIR)
	$(INSTALL) -m 0644 plugins/agentx/conntap-agentx.8 $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 0644 $(MIB) $(DESTDIR)$(MIBDIR)
	$(INSTALL) -m 0644 plugins/agentx/snmpd.conf.example $(DESTDIR)$(EXAMPLEDIR)/snmpd.conf
	$(INSTALL) -m 0644 plugins/agentx/agentx.conf.example $(DESTDIR)$(EXAMPLEDIR)/agentx.conf

uninstall-agentx:
	$(RM) $(DESTDIR)$(SBINDIR)/conntap-agentx $(DESTDIR)$(MANDIR)/man8/conntap-agentx.8
	$(RM) $(DESTDIR)$(MIBDIR)/CONNTAP-MIB.txt
	$(RM) $(addprefix $(DESTDIR)$(EXAMPLEDIR)/,snmpd.conf agentx.conf)

.PHONY: uninstall
uninstall:
	$(RM) $(DESTDIR)$(SBINDIR)/conntap $(DESTDIR)$(MANDIR)/man1/conntap.1
	$(RM) $(addprefix $(DESTDIR)$(SCHEMADIR)/,$(notdir $(SCHEMAS)))
	$(RM) $(DESTDIR)$(DATADIR)/conntap/conntap.xsl
	$(RM) $(addprefix $(DESTDIR)$(INCLUDEDIR)/conntap/,$(notdir $(HEADERS)))
	$(RM) $(addprefix $(DESTDIR)$(LIBDIR)/,libconntap.a libconntap.so $(SONAME) $(SHARED))
	$(RM) $(DESTDIR)$(LIBDIR)/pkgconfig/conntap.pc
	-rmdir $(DESTDIR)$(INCLUDEDIR)/conntap

.PHONY: format
format:
	$(CLANG_FORMAT) -i $(SOURCES)

.PHONY: lint
lint:
	$(CLANG_FORMAT) --dry-run --Werror $(SOURCES)
	mandoc -T lint -W warning plugins/cli/conntap.1 plugins/collectd/collectd-conntap.5 \
		plugins/agentx/conntap-agentx.8
	prove tests/layers.t

.PHONY: clean
clean:
	$(RM) -r $(BUILD) $(BUILD)-*

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
