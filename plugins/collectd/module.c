/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin as collectd sees it.  Nothing here fails for reasons of the environment:
 * collectd would drop the plugin, or not start, where waiting is all that is needed.
 */
#include "readers.h"

static struct tap_settings settings;
static bool configured;
static struct tap_kernel_reader *kernel_reader;
static struct tap_table_reader *table_reader;
static struct tap_events_reader *events_reader;

/* The one symbol that collectd looks for. */
__attribute__((visibility("default"))) void module_register(void);

static void
begin_settings(void)
{
	if (!configured)
		tap_settings_init(&settings);
	configured = true;
}

static int
configure(oconfig_item_t *block)
{
	begin_settings();
	tap_settings_take(&settings, block);
	return 0;
}

static int
read_kernel(user_data_t *unused)
{
	(void)unused;
	if (kernel_reader)
		tap_kernel_read(kernel_reader);
	if (events_reader)
		tap_events_read(events_reader);
	return 0;
}

static int
init(void)
{
	/* collectd calls it again for daemons that have forked. */
	if (kernel_reader)
		return 0;
	begin_settings();
	tap_settings_check(&settings);
	kernel_reader = tap_kernel_new(&settings);
	plugin_register_complex_read(TAP_PLUGIN, TAP_PLUGIN, read_kernel, 0, NULL);
	if (settings.events)
		events_reader = tap_events_new(&settings);
	if (settings.table)
		table_reader = tap_table_new(&settings);
	return 0;
}

/* collectd has ended its reading threads before it calls this. */
static int
shutdown_all(void)
{
	tap_table_free(table_reader);
	tap_events_free(events_reader);
	tap_kernel_free(kernel_reader);
	table_reader = NULL;
	events_reader = NULL;
	kernel_reader = NULL;
	tap_settings_done(&settings);
	return 0;
}

void
module_register(void)
{
	plugin_register_complex_config(TAP_PLUGIN, configure);
	plugin_register_init(TAP_PLUGIN, init);
	plugin_register_shutdown(TAP_PLUGIN, shutdown_all);
}
