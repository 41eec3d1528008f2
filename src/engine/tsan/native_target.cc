// SPDX-License-Identifier: Apache-2.0
//
// Loading a target. The file is copied into memory first: dlopen knows files by their inode, so the same path would
// give the same copy twice, and the file may be built anew while it is in use.
#include "tsan/native_target.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "tsan/fixed_load.h"
#include "tsan/target_checks.h"

// How compiled code finds a thread-local variable of a module: {module, offset}. Part of the ABI, in no header.
extern "C" void* __tls_get_addr(size_t* index);

namespace plait {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw std::runtime_error(path + ": " + why);
}

// ---- the private copy

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  bool good() const { return number_ >= 0; }
  int release() { return std::exchange(number_, -1); }
  void swap(Descriptor& other) { std::swap(number_, other.number_); }

 private:
  int number_;
};

int new_file() {
  const int memory = memfd_create("plait-target", MFD_CLOEXEC);
  if (memory >= 0) return memory;
  const char* folder = getenv("TMPDIR");
  return open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0700);
}

void copy(int from, int to, const std::string& path) {
  std::vector<char> buffer(64 * 1024);
  for (;;) {
    const ssize_t got = read(from, buffer.data(), buffer.size());
    if (got == 0) return;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(path, "cannot be read: " + std::string(std::strerror(errno)));
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = write(to, buffer.data() + done, static_cast<size_t>(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) refuse(path, "cannot be copied into memory: " + std::string(std::strerror(errno)));
      done += put;
    }
  }
}

// With the number of the process, so that a debugger finds it too.
std::string name_of(int descriptor) {
  const std::string tail = "/fd/" + std::to_string(descriptor);
  const std::string name = "/proc/" + std::to_string(getpid()) + tail;
  return access(name.c_str(), R_OK) == 0 ? name : "/proc/self" + tail;
}

// dlopen compares names before it looks at files, and the name of a descriptor returns with its number. A module that
// was never really unloaded may still have it.
void take_unused_name(Descriptor& file, const std::string& path) {
  void* const taken = dlopen(name_of(file.number()).c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (!taken) return;
  dlclose(taken);
  Descriptor other(fcntl(file.number(), F_DUPFD_CLOEXEC, file.number() + 1));
  if (!other.good()) refuse(path, "cannot be loaded: " + std::string(std::strerror(errno)));
  take_unused_name(other, path);
  file.swap(other);
}

// What the dynamic linker says begins with the name of the copy, which tells nobody anything.
std::string without_name(std::string text, const std::string& copy) {
  if (text.starts_with(copy + ": ")) text.erase(0, copy.size() + 2);
  return text;
}

// ---- segments

struct Segments {
  uintptr_t load_base;
  uintptr_t end = 0;  // of the last segment
  AddressRange relro;
  std::vector<AddressRange> writable;
  std::vector<AddressRange> read_only;
  std::vector<AddressRange> code;
  AddressRange tls;  // the image
  size_t tls_copied = 0;
  size_t tls_module = 0;
  bool found = false;
};

int note_segments(dl_phdr_info* info, size_t size, void* argument) {
  auto& segments = *static_cast<Segments*>(argument);
  if (info->dlpi_addr != segments.load_base || info->dlpi_phnum == 0) return 0;
  for (size_t i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    const AddressRange range{info->dlpi_addr + header.p_vaddr, header.p_memsz};
    if (header.p_type == PT_GNU_RELRO) segments.relro = range;
    if (header.p_type == PT_TLS) {
      segments.tls = range;
      segments.tls_copied = header.p_filesz;
    }
    if (header.p_type != PT_LOAD || header.p_memsz == 0) continue;
    segments.end = std::max(segments.end, range.base + range.size);
    if (header.p_flags & PF_X) segments.code.push_back(range);
    if (header.p_flags & PF_W) {
      segments.writable.push_back(range);
    } else if (header.p_flags & PF_R) {
      segments.read_only.push_back(range);  // code too: constants may lie between functions
    }
  }
  if (size >= offsetof(dl_phdr_info, dlpi_tls_modid) + sizeof info->dlpi_tls_modid) {
    segments.tls_module = info->dlpi_tls_modid;
  }
  segments.found = true;
  return 1;
}

// From the first to the last byte that is writable when the linker has done its work.
AddressRange data_of(const Segments& segments) {
  uintptr_t lo = UINTPTR_MAX;
  uintptr_t hi = 0;
  const uintptr_t relro_end = segments.relro.base + segments.relro.size;
  for (const AddressRange& range : segments.writable) {
    uintptr_t begin = range.base;
    const uintptr_t end = range.base + range.size;
    if (segments.relro.contains(begin)) begin = std::min(relro_end, end);
    if (begin == end) continue;
    lo = std::min(lo, begin);
    hi = std::max(hi, end);
  }
  if (lo >= hi) return {};
  lo &= ~uintptr_t{7};
  hi = (hi + 7) & ~uintptr_t{7};
  return {lo, hi - lo};
}

}  // namespace

NativeTarget::NativeTarget(const std::string& path, const RuntimeTable& table) : path_(path) {
  Descriptor original(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!original.good()) refuse(path, "cannot be opened: " + std::string(std::strerror(errno)));
  Descriptor file(new_file());
  if (!file.good()) refuse(path, "cannot be copied into memory: " + std::string(std::strerror(errno)));
  copy(original.number(), file.number(), path);
  take_unused_name(file, path);
  const std::string name = name_of(file.number());
  Loaded loaded = load_at_fixed_place(name, file.number());
  handle_ = loaded.handle;
  if (!handle_) refuse(path, "cannot be loaded: " + without_name(std::move(loaded.error), name));
  try {
    find_segments();
    declaration_ = static_cast<const plait_target*>(dlsym(handle_, "plait_target"));
    const auto bind = reinterpret_cast<void (*)(const RuntimeTable*)>(dlsym(handle_, "plait_bind"));
    if (!declaration_) {
      refuse(path, "declares no target: add one PLAIT_TARGET(...) of <plait/target.h> to one of its source files");
    }
    if (!bind) refuse(path, "has no plait_bind: link it with libplait_rt.a as a whole archive");
    const std::string complaint = complaint_about(*declaration_, {load_base_, load_size_}, data_);
    if (!complaint.empty()) refuse(path, complaint);
    driver_ = static_cast<const plait_driver*>(dlsym(handle_, "plait_driver"));
    if (driver_) {
      const std::string driver_complaint = complaint_about(*driver_);
      if (!driver_complaint.empty()) refuse(path, driver_complaint);
    }
    bind(&table);
  } catch (...) {
    dlclose(handle_);
    throw;
  }
  descriptor_ = file.release();
}

NativeTarget::~NativeTarget() {
  dlclose(handle_);
  close(descriptor_);
}

void NativeTarget::find_segments() {
  link_map* map = nullptr;
  if (dlinfo(handle_, RTLD_DI_LINKMAP, &map) != 0) refuse(path_, "cannot be loaded: dlinfo knows nothing of it");
  Segments segments{};
  segments.load_base = map->l_addr;
  dl_iterate_phdr(note_segments, &segments);
  if (!segments.found) refuse(path_, "cannot be loaded: the dynamic linker does not list its segments");
  load_base_ = segments.load_base;
  load_size_ = segments.end - segments.load_base;
  code_ = std::move(segments.code);
  data_ = data_of(segments);
  constants_ = std::move(segments.read_only);
  if (segments.relro.size != 0) {
    // Up to where .data begins: both range and data are whole granules.
    AddressRange relro = segments.relro;
    if (data_.contains(relro.base + relro.size - 1)) relro.size = data_.base - relro.base;
    constants_.push_back(relro);
  }
  if (segments.tls.size != 0) {
    tls_module_ = segments.tls_module;
    const auto* image = reinterpret_cast<const std::byte*>(segments.tls.base);
    tls_image_.assign(image, image + segments.tls_copied);
    tls_image_.resize(segments.tls.size);
  }
}

AddressRange NativeTarget::tls() const {
  if (tls_image_.empty()) return {};
  size_t index[2] = {tls_module_, 0};
  return {reinterpret_cast<uintptr_t>(__tls_get_addr(index)), tls_image_.size()};
}

bool NativeTarget::in_code(uintptr_t pc) const {
  return std::any_of(code_.begin(), code_.end(), [pc](const AddressRange& range) { return range.contains(pc); });
}

}  // namespace plait
