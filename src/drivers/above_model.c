/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands between a driver and a Python model: a native allocator that passes everything on. */
#include "plait/target.h"

static void *below_alloc(size_t size) { return plait_model_alloc(size); }
static int below_free(void *object) { return plait_model_free(object); }

PLAIT_TARGET(.alloc = below_alloc, .free = below_free, .size_max = (size_t)16 << 20);
