// SPDX-License-Identifier: Apache-2.0
//
// Loading targets: small ones are compiled here and now. What is where in memory, copies that do not touch one
// another, thread-local blocks, and what a user reads when a declaration is wrong.
#include "tsan/native_target.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "native_target_build.h"

namespace {

// The sentence without the path in front.
std::string complaint(const std::string& path) {
  try {
    NativeTarget target(path, g_table);
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    EXPECT(text.starts_with(path + ": "));
    EXPECT(text.find('\n') == std::string::npos);
    return text.substr(path.size() + 2);
  }
  return "";
}
std::string complaint_about(const std::string& declaration) {
  static int number = 0;
  return complaint(build("bad" + std::to_string(number++), kBefore + declaration));
}

bool in_constants(const NativeTarget& target, uintptr_t address) {
  for (const AddressRange& range : target.constants()) {
    if (range.contains(address)) return true;
  }
  return false;
}

void check_places(const std::string& path) {
  NativeTarget target(path, g_table);
  EXPECT_EQ(target.path(), path);
  EXPECT_EQ(target.declaration().size_max, 256u);
  EXPECT_EQ(word(address_of(target, "bound")), reinterpret_cast<uintptr_t>(&g_table));

  EXPECT(target.in_code(reinterpret_cast<uintptr_t>(target.declaration().alloc)));
  EXPECT(target.in_code(reinterpret_cast<uintptr_t>(target.declaration().free)));
  EXPECT(!target.in_code(reinterpret_cast<uintptr_t>(&std::system)));
  for (const char* name : {"initialised", "zeroed", "bound", "odd", "knob"}) {
    const uintptr_t address = address_of(target, name);
    EXPECT(target.data().contains(address));
    EXPECT(!in_constants(target, address));
    EXPECT(!target.in_code(address));
  }
  EXPECT(target.data().contains(address_of(target, "odd") + 12));
  for (const char* name : {"constant", "relocated"}) {
    EXPECT(in_constants(target, address_of(target, name)));
    EXPECT(!target.data().contains(address_of(target, name)));
  }
  EXPECT(in_constants(target, reinterpret_cast<uintptr_t>(&target.declaration())));
  EXPECT_EQ(target.data().base % 8, 0u);
  EXPECT_EQ(target.data().size % 8, 0u);
  EXPECT(target.data().base >= target.load_base());
  EXPECT(target.data().base + target.data().size <= target.load_base() + target.load_size() + 8);
  std::vector<std::byte> all(target.data().size);  // all of it can be read and written
  std::memcpy(all.data(), reinterpret_cast<void*>(target.data().base), all.size());
  std::memcpy(reinterpret_cast<void*>(target.data().base), all.data(), all.size());
  volatile std::byte sink{};
  for (const AddressRange& range : target.constants()) {
    for (size_t i = 0; i < range.size; i += 64) sink = *reinterpret_cast<const std::byte*>(range.base + i);
  }
  (void)sink;

  const AddressRange block = target.tls();
  EXPECT_EQ(block.size, target.tls_image().size());
  EXPECT(block.size >= 116);
  EXPECT(std::memcmp(reinterpret_cast<void*>(block.base), target.tls_image().data(), block.size) == 0);
  bool pointer_found = false;  // the image is taken after relocation
  for (size_t i = 0; i + 8 <= block.size; i += 8) {
    pointer_found = pointer_found || word(block.base + i) == address_of(target, "initialised");
  }
  EXPECT(pointer_found);
  uintptr_t other = 0;
  std::thread([&] { other = target.tls().base; }).join();
  EXPECT(other != 0 && other != block.base);
  // It is the block that the code uses: 77 at `initialised`, so alloc returns local_pointer + 5.
  EXPECT_EQ(reinterpret_cast<uintptr_t>(target.declaration().alloc(1)), address_of(target, "initialised") + 40);
  std::memset(reinterpret_cast<void*>(block.base), 0, block.size);
  EXPECT(target.declaration().alloc(1) == nullptr);
}

}  // namespace

TEST(everything_is_where_it_is_said_to_be) {
  check_places(build("places", std::string(kBefore) + kPlaces));
  check_places(build("places_now", std::string(kBefore) + kPlaces, "-Wl,-z,now -Wl,-z,relro"));
  check_places(build("places_together", std::string(kBefore) + kPlaces, "-Wl,-z,noseparate-code"));
  if (std::system("command -v ld.lld >/dev/null 2>&1") == 0) {
    check_places(build("places_lld", std::string(kBefore) + kPlaces, "-fuse-ld=lld"));
  }
}

TEST(without_relro_constants_with_addresses_are_data) {
  NativeTarget target(build("norelro", std::string(kBefore) + kPlaces, "-Wl,-z,norelro"), g_table);
  EXPECT(target.data().contains(address_of(target, "initialised")));
  EXPECT(in_constants(target, address_of(target, "constant")));
}

TEST(without_thread_locals_there_is_no_block) {
  NativeTarget target(build("plain", std::string(kBefore) + kDeclaration), g_table);
  EXPECT_EQ(target.tls().size, 0u);
  EXPECT(target.tls_image().empty());
}

TEST(copies_are_apart) {
  const std::string path = build("copies", std::string(kBefore) + kPlaces);
  NativeTarget first(path, g_table);
  NativeTarget second(path, g_table);
  EXPECT(first.load_base() != second.load_base());
  word(address_of(first, "initialised")) = 1;
  EXPECT_EQ(word(address_of(second, "initialised")), 77u);
  EXPECT(first.tls().base != second.tls().base);
  NativeTarget third(path, g_table);
  EXPECT_EQ(word(address_of(third, "initialised")), 77u);
}

TEST(unloading_leaves_nothing) {
  const std::string path = build("again", std::string(kBefore) + kPlaces);
  const auto open_files = [] {
    int count = 0;
    for (int i = 0; i < 1000; ++i) count += access(("/proc/self/fd/" + std::to_string(i)).c_str(), F_OK) == 0;
    return count;
  };
  const int before = open_files();
  for (int i = 0; i < 200; ++i) {
    NativeTarget target(path, g_table);
    EXPECT_EQ(word(address_of(target, "initialised")), 77u);
    word(address_of(target, "initialised")) = 1;
  }
  EXPECT_EQ(open_files(), before);
}

// One that stays for ever (-z nodelete) keeps the name of its copy; the next must not be taken for it.
TEST(one_that_cannot_be_unloaded_is_no_trap) {
  const std::string stays = build("stays", std::string(kBefore) + kPlaces, "-Wl,-z,nodelete");
  for (int i = 0; i < 5; ++i) {
    NativeTarget target(stays, g_table);
    EXPECT_EQ(word(address_of(target, "initialised")), 77u);
    word(address_of(target, "initialised")) = 1;
  }
}

TEST(the_file_may_be_replaced_while_loaded) {
  const std::string path = build("replaced", std::string(kBefore) + kPlaces);
  NativeTarget target(path, g_table);
  std::ofstream(path, std::ios::trunc) << "gone";
  EXPECT_EQ(word(address_of(target, "initialised")), 77u);
  EXPECT(complaint(path).starts_with("cannot be loaded: "));
}

// ---- what a user reads

TEST(files_that_are_no_targets) {
  EXPECT_EQ(complaint(in_folder("missing.so")), "cannot be opened: No such file or directory");
  EXPECT_EQ(complaint("/tmp"), "cannot be read: Is a directory");
  std::ofstream(in_folder("text.so")) << "this is no shared object, however long it may be: no, really, it is not one";
  EXPECT_EQ(complaint(in_folder("text.so")), "cannot be loaded: invalid ELF header");
  EXPECT(complaint(build("needs", std::string("void missing_function();\n") + kBefore +
                                      "static void start() { missing_function(); }\n"
                                      "PLAIT_TARGET(.init = start, .alloc = my_alloc, .free = my_free, "
                                      ".size_max = 64);"))
             .find("missing_function") != std::string::npos);
  EXPECT_EQ(complaint_about(""),
            "declares no target: add one PLAIT_TARGET(...) of <plait/target.h> to one of its source files");
  EXPECT_EQ(complaint(build("unbound", std::string("#include <cstddef>\n#include \"plait/target.h\"\n"
                                                   "static void* my_alloc(size_t) { return nullptr; }\n"
                                                   "static int my_free(void*) { return 0; }\n") +
                                           kDeclaration)),
            "has no plait_bind: link it with libplait_rt.a as a whole archive");
}

TEST(declarations_that_make_no_sense) {
  const std::string functions = "PLAIT_TARGET(.alloc = my_alloc, .free = my_free, ";
  const auto with = [&](const std::string& fields) { return complaint_about(functions + fields + ");"); };
  EXPECT_EQ(complaint_about("EXPORT const plait_target plait_target = {.abi = 9};"),
            "was built for version 9 of plait/target.h, this is version 1: build it again");
  EXPECT_EQ(complaint_about("PLAIT_TARGET(.free = my_free, .size_max = 8);"),
            "PLAIT_TARGET leaves out .alloc: name the function that allocates");
  EXPECT_EQ(complaint_about("PLAIT_TARGET(.alloc = my_alloc, .size_max = 8);"),
            "PLAIT_TARGET leaves out .free: name the function that takes objects back");
  EXPECT_EQ(with(".size_min = 8"),
            "PLAIT_TARGET leaves out .size_max: say how many bytes the largest request has");
  EXPECT_EQ(with(".size_max = 1ul << 40"), ".size_max is 1099511627776: make it at most 16777216 bytes");
  EXPECT_EQ(with(".size_min = 65, .size_max = 64"),
            ".size_min is 65, more than .size_max, which is 64: make it smaller");
  EXPECT_EQ(with(".size_max = 64, .alignment = 24"), ".alignment is 24: make it a power of two up to 65536");
  EXPECT_EQ(with(".size_max = 64, .contexts = 4"), ".contexts is 4: combine PLAIT_IN_TASK and PLAIT_IN_HANDLER only");
  EXPECT_EQ(with(".size_max = 64, .cpus_max = 9"), ".cpus_max is 9: make it at most 8");
  EXPECT_EQ(with(".size_max = 64, .refuses = 8"), ".refuses is 8: combine constants named PLAIT_REFUSES_... only");
  EXPECT_EQ(with(".size_max = 64, .heap = static_cast<plait_heap>(2)"),
            ".heap is 2: make it PLAIT_HEAP_PRIVATE or PLAIT_HEAP_SELF");
  EXPECT_EQ(with(".size_max = 64, .page_size_small = 500"),
            ".page_size_small is 500: make it a power of two from 256 to 65536");
  EXPECT_EQ(with(".size_max = 64, .page_size_real = 1 << 20"),
            ".page_size_real is 1048576: make it a power of two from 256 to 65536");
}

TEST(lists_that_make_no_sense) {
  const auto list = [](const std::string& type, const std::string& entries, const std::string& field) {
    return complaint_about("static uint64_t value, other; const uint64_t fixed = 1;\n"
                           "int uses() { return value + other; }\n"
                           "static const " + type + " list[] = {" + entries + "};\n"
                           "PLAIT_TARGET(.alloc = my_alloc, .free = my_free, .size_max = 64, ." + field + " = list);");
  };
  EXPECT_EQ(list("size_t", "16, 8, 0", "size_classes"),
            ".size_classes has 8 after 16: put them in ascending order");
  EXPECT_EQ(list("plait_knob", R"({"no way", &value, 1, 2, 1, 1, ""}, {})", "knobs"),
            ".knobs[0].name is no name: use letters, digits and _");
  EXPECT_EQ(list("plait_knob", R"({"k", nullptr, 1, 2, 1, 1, ""}, {})", "knobs"),
            "knob \"k\" has no variable in the target: let .value point to a global that is not const");
  EXPECT_EQ(list("plait_knob", R"({"k", const_cast<uint64_t*>(&fixed), 1, 2, 1, 1, ""}, {})", "knobs"),
            "knob \"k\" has no variable in the target: let .value point to a global that is not const");
  EXPECT_EQ(list("plait_knob", R"({"k", &value, 3, 2, 1, 1, ""}, {})", "knobs"),
            "knob \"k\" has min 3 and max 2: swap them");
  EXPECT_EQ(list("plait_knob", R"({"k", &value, 1, 2, 7, 1, ""}, {})", "knobs"),
            "knob \"k\" has standard 7: choose one from 1 to 2");
  EXPECT_EQ(list("plait_knob", R"({"k", &value, 1, 2, 1, 1, ""}, {"k", &other, 1, 2, 1, 1, ""}, {})", "knobs"),
            "knob \"k\" is there twice: rename one");
  EXPECT_EQ(list("plait_knob", R"({"k", &value, 1, 2, 1, 1, ""}, {"m", &value, 1, 2, 1, 1, ""}, {})", "knobs"),
            "knob \"m\" and knob \"k\" share a variable: give each its own");
  EXPECT_EQ(list("plait_page_field", R"({"f", 4, 0}, {})", "page_fields"),
            "page field \"f\" has size 0: say how many bytes it has");
  EXPECT_EQ(list("plait_state_name", R"({"s", &value, 0, 1}, {})", "state_names"),
            "state name \"s\" has stride 0: say how many bytes one element has");
  EXPECT_EQ(list("plait_state_name", R"({"s", &value, 8, 1u << 31}, {})", "state_names"),
            "state name \"s\" covers 17179869184 bytes that are not all the target's: "
            "name a global variable and its size");
}
