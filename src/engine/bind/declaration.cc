// SPDX-License-Identifier: Apache-2.0
//
// What a target declares, as Python reads it.
#include <nanobind/nanobind.h>

#include "bind/convert.h"

namespace nb = nanobind;

namespace plait {

nb::dict declaration_to_python(const plait_target& target, uintptr_t load_base) {
  nb::dict object;
  nb::list classes, knobs, fields, names;
  for (const size_t* size = target.size_classes; size && *size; ++size) classes.append(*size);
  for (const plait_knob* knob = target.knobs; knob && knob->name; ++knob) {
    nb::dict item;
    item["name"] = knob->name;
    item["min"] = knob->min;
    item["max"] = knob->max;
    item["standard"] = knob->standard;
    item["real"] = knob->real;
    item["help"] = knob->help ? knob->help : "";
    knobs.append(item);
  }
  for (const plait_page_field* page = target.page_fields; page && page->name; ++page) {
    nb::dict item;
    item["name"] = page->name;
    item["offset"] = page->offset;
    item["size"] = page->size;
    fields.append(item);
  }
  for (const plait_state_name* state = target.state_names; state && state->name; ++state) {
    nb::dict item;
    item["name"] = state->name;
    item["offset"] = reinterpret_cast<uintptr_t>(state->address) - load_base;
    item["stride"] = state->stride;
    item["count"] = state->count ? state->count : 1;
    names.append(item);
  }
  object["size_min"] = target.size_min ? target.size_min : 1;
  object["size_max"] = target.size_max;
  object["size_classes"] = classes;
  object["alignment"] = target.alignment ? target.alignment : 8;
  object["contexts"] = target.contexts ? target.contexts : PLAIT_IN_TASK;
  object["cpus_max"] = target.cpus_max ? target.cpus_max : kCpusMax;
  object["refuses"] = target.refuses;
  if (target.deferred_bound_plus_1) {
    object["deferred_bound"] = target.deferred_bound_plus_1 - 1;
  } else {
    object["deferred_bound"] = nb::none();
  }
  object["page_size_small"] = target.page_size_small ? target.page_size_small : 512;
  object["page_size_real"] = target.page_size_real ? target.page_size_real : 4096;
  object["knobs"] = knobs;
  object["page_fields"] = fields;
  object["state_names"] = names;
  object["has_check"] = target.check != nullptr;
  return object;
}

}  // namespace plait
