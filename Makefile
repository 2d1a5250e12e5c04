# SPDX-License-Identifier: GPL-2.0-or-later
# conntap: make, make check, make install; make help lists the rest.

VERSION := 0.1.0

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
SCHEMADIR ?= $(DATADIR)/conntap/schema
BUILD ?= build
CC ?= cc
PKG_CONFIG ?= pkg-config
INSTALL ?= install

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual
CFLAGS ?= -O2 -g
LIBS := libmnl libnetfilter_conntrack
override CPPFLAGS += -I. -D_GNU_SOURCE -DCONNTAP_VERSION='"$(VERSION)"'
override CFLAGS += -std=gnu11 -pthread $(WARNINGS) $(shell $(PKG_CONFIG) --cflags $(LIBS))
LDLIBS := $(shell $(PKG_CONFIG) --libs $(LIBS)) -pthread

# Quiet unless V=1.
ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
endif

CORE := $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c))
EXPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard plugins/export/*.c))
CLI := $(patsubst %.c,$(BUILD)/%.o,$(wildcard plugins/cli/*.c))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
TOOLS := $(addprefix $(BUILD)/tests/,traffic record synthesise)
BENCH := $(addprefix $(BUILD)/tests/,flood floor measure)

.PHONY: all
all: $(BUILD)/conntap

$(BUILD)/libconntap.a: $(CORE)
	$(call say,AR,$@)$(RM) $@; $(AR) rcs $@ $^

$(BUILD)/conntap: $(CLI) $(EXPORT) $(BUILD)/libconntap.a
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
