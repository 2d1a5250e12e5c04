/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_WALK_H
#define CT_WALK_H
/*
 * The cursor over the attributes of a netlink message, for the decoders only.  Every
 * bound is that of the bytes given; the first thing wrong ends the walk with an error.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Inlined whatever it costs in size, so that the walk stays in registers: twice as
 * fast. For the same reason nothing takes the address of the outermost walk but HOT
 * functions.
 */
#define HOT inline __attribute__((always_inline))

/* Walks the attributes of one nest level. */
struct walk {
	const uint8_t *at;
	ptrdiff_t left;      /* bytes from `at`; below 0 behind an unpadded last one */
	const uint8_t *data; /* of the present attribute */
	size_t size;
	unsigned int type;
	int error;
};

static HOT struct walk
walk_start(const uint8_t *at, size_t size)
{
	return (struct walk){ .at = at, .left = (ptrdiff_t)size };
}

static HOT struct walk
walk_into(const struct walk *outer)
{
	return walk_start(outer->data, outer->size);
}

static HOT void
walk_fail(struct walk *w)
{
	w->error = -EBADMSG;
	w->left = 0;
}

/* Goes on to the next attribute; false when there is none or the level is malformed. */
static HOT bool
walk_next(struct walk *w)
{
	struct nlattr head;

	if (w->left < (ptrdiff_t)sizeof(head)) {
		if (w->left > 0)
			walk_fail(w);
		return false;
	}
	memcpy(&head, w->at, sizeof(head));
	if (head.nla_len < sizeof(head) || head.nla_len > w->left) {
		walk_fail(w);
		return false;
	}
	w->type = head.nla_type & NLA_TYPE_MASK;
	w->data = w->at + sizeof(head);
	w->size = head.nla_len - sizeof(head);
	w->at += NLA_ALIGN(head.nla_len);
	w->left -= NLA_ALIGN(head.nla_len);
	return true;
}

/* Copies the attribute, which must have exactly the size of the field. */
static HOT bool
take(struct walk *w, void *field, size_t size)
{
	if (w->size != size) {
		walk_fail(w);
		return false;
	}
	memcpy(field, w->data, size);
	return true;
}

static HOT bool
take_u8(struct walk *w, uint8_t *field)
{
	return take(w, field, sizeof(*field));
}

static HOT bool
take_be16(struct walk *w, uint16_t *field)
{
	if (!take(w, field, sizeof(*field)))
		return false;
	*field = ntohs(*field);
	return true;
}

static HOT bool
take_be32(struct walk *w, uint32_t *field)
{
	if (!take(w, field, sizeof(*field)))
		return false;
	*field = ntohl(*field);
	return true;
}

static HOT bool
take_be64(struct walk *w, uint64_t *field)
{
	if (!take(w, field, sizeof(*field)))
		return false;
	*field = be64toh(*field);
	return true;
}

/* Copies text, which may or may not end in a zero byte; true when it was cut. */
static inline bool
take_text(const struct walk *w, char *field, size_t size)
{
	size_t length = strnlen((const char *)w->data, w->size);
	bool cut = length >= size;

	if (cut)
		length = size - 1;
	memcpy(field, w->data, length);
	memset(field + length, 0, size - length);
	return cut;
}

#endif
