// SPDX-License-Identifier: Apache-2.0
//
// What several of these targets need besides the structure that they are about: a free list behind a spin lock
// with interrupts off.
#pragma once

#include "objects.h"

inline plait_spinlock_t list_lock;
inline Object* list;

inline Object* take() {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&list_lock);
  if (list == nullptr) list = cut_page();
  Object* const object = list;
  if (object != nullptr) list = object->next;
  plait_spin_unlock_irqrestore(&list_lock, flags);
  return object;
}

inline void give(Object* object) {
  const plait_irq_flags_t flags = plait_spin_lock_irqsave(&list_lock);
  object->next = list;
  list = object;
  plait_spin_unlock_irqrestore(&list_lock, flags);
}

inline void report_list() {
  for (const Object* object = list; object != nullptr; object = object->next) plait_report_free(object, PLAIT_NO_CPU);
}
