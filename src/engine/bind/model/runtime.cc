// SPDX-License-Identifier: Apache-2.0
#include "bind/model/runtime.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "bind/model/raise.h"

namespace plait::model {
namespace {

uint64_t load(uintptr_t address) {
  uint64_t word = 0;
  std::memcpy(&word, reinterpret_cast<const void*>(address), sizeof word);
  return word;
}
void store(uintptr_t address, uint64_t word) { std::memcpy(reinterpret_cast<void*>(address), &word, sizeof word); }

// How an access is announced; 0: the step is none.
uint32_t access_kind(Op op) {
  constexpr uint32_t kSeqCst = __ATOMIC_SEQ_CST << kOrderShift;
  switch (op) {
    case Op::kLoad: return kRead;
    case Op::kStore: return kWrite;
    case Op::kReadOnce: return kRead | kMarked;
    case Op::kWriteOnce: return kWrite | kMarked;
    case Op::kLoadAcquire: return kRead | kAtomic | __ATOMIC_ACQUIRE << kOrderShift;
    case Op::kStoreRelease: return kWrite | kAtomic | __ATOMIC_RELEASE << kOrderShift;
    case Op::kExchange: case Op::kCompareExchange: case Op::kFetchAdd: return kRmw | kAtomic | kMayFail | kSeqCst;
    case Op::kLocalAdd: return kRmw;
    default: return 0;
  }
}

}  // namespace

Runtime::Runtime(Machine& machine, Methods methods, std::vector<Initial> initial)
    : machine_(machine), methods_(methods), initial_(std::move(initial)) {}

Runtime::~Runtime() {
  if (active_ == this) active_ = nullptr;
  over(this);
  clear_workers();
  Py_XDECREF(interrupt_);
  for (PyObject* each : {methods_.init, methods_.alloc, methods_.free, methods_.check, methods_.cpu, methods_.heap}) {
    Py_XDECREF(each);
  }
}

void Runtime::activate(uintptr_t load_base) {
  active_ = this;
  code_base_ = load_base + TargetImage::kModelCode;
  machine_.set_interrupted(interrupted);
}

PyObject* Runtime::take_interrupt() { return std::exchange(interrupt_, nullptr); }

void Runtime::clear_workers() {
  for (const Worker& each : workers_) {
    Py_DECREF(each.method);
    Py_DECREF(each.arguments);
  }
  workers_.clear();
}

// ---- calls of methods, on the fiber

void Runtime::run(Call& call) {
  machine_.on_main(begin, &call);
  while (call.state == Call::State::kWaiting) {
    perform(*call.step);
    machine_.on_main(resume, &call);
  }
  if (call.state != Call::State::kReturned) fail(call);
}

void Runtime::fail(const Call& call) {
  const std::span calls(call.pcs.data(), call.calls);
  if (call.state == Call::State::kHangs) machine_.hang_in(calls);
  if (call.state == Call::State::kInterrupted) machine_.give_up(GiveUp::kTime);
  machine_.die_in(call.kind, call.message, calls);
}

void Runtime::init() {
  Runtime& runtime = *active_;
  for (const Initial& each : runtime.initial_) {
    runtime.machine_.memory().write64(runtime.machine_.memory().globals() + each.offset, each.value);
  }
  runtime.clear_workers();
  if (!runtime.methods_.init) return;
  Call call{&runtime, runtime.methods_.init, runtime.methods_.cpu, 0, false};
  runtime.run(call);
}

void* Runtime::alloc(size_t size) {
  Call call{active_, active_->methods_.alloc, active_->methods_.cpu, size, true};
  active_->run(call);
  return reinterpret_cast<void*>(call.value);
}

int Runtime::free(void* object) {
  Call call{active_, active_->methods_.free, active_->methods_.cpu, reinterpret_cast<uintptr_t>(object), true};
  active_->run(call);
  return call.refused ? 1 : 0;
}

void Runtime::worker(void* number) {
  const Worker worker = active_->workers_[reinterpret_cast<uintptr_t>(number)];
  Call call{active_, worker.method, active_->methods_.cpu, 0, false};
  call.rest = worker.arguments;
  active_->run(call);
}

// Reports come before what check itself complained of: it made them first.
void Runtime::check() {
  Runtime& runtime = *active_;
  Call call{&runtime, runtime.methods_.check, runtime.methods_.heap, 0, false};
  runtime.machine_.on_main(run_check, &call);
  if (call.state == Call::State::kRaised && call.kind == FailureKind::kLivelock) runtime.fail(call);
  for (const Report& each : runtime.reports_) {
    const auto* object = reinterpret_cast<const void*>(each.address);
    switch (each.what) {
      case Reported::kFree: runtime.machine_.report_free(object, each.cpu, each.home, each.pc); break;
      case Reported::kDeferred: runtime.machine_.report_deferred(object, each.pc); break;
      case Reported::kPage: runtime.machine_.report_page(object, each.pc); break;
    }
  }
  if (runtime.fault_ != Machine::kNoAddress) runtime.machine_.access(runtime.fault_, 8, kRead, runtime.fault_pc_);
  if (call.state != Call::State::kReturned) runtime.fail(call);
}

// ---- steps

bool Runtime::start(Step& step) {
  step.pc = pc_of(sites_.of(PyEval_GetFrame()));
  if (const uint32_t kind = access_kind(step.op)) {
    if (!machine_.take_access(step.address, 8, kind, step.pc)) return false;
    step.result = access(step);
    return true;
  }
  return machine_.has_fuel() && quick(step);
}

// Of the others those that cannot fail and switch to nobody.
bool Runtime::quick(Step& step) {
  switch (step.op) {
    case Op::kIrqSave: step.result = machine_.irq_save(step.pc); return true;
    case Op::kIrqRestore: machine_.irq_restore(static_cast<uint32_t>(step.a), step.pc); return true;
    case Op::kIrqOff: machine_.irq_set(false, step.pc); return true;
    case Op::kIrqOn: machine_.irq_set(true, step.pc); return true;
    case Op::kPreemptDisable: machine_.preempt_disable(step.pc); return true;
    case Op::kPreemptEnable:
      if (!machine_.preemption_off()) return false;
      machine_.preempt_enable(step.pc);
      return true;
    case Op::kCpuId: step.result = machine_.cpu_id(step.pc); return true;
    default: return false;
  }
}

void Runtime::perform(Step& step) {
  if (const uint32_t kind = access_kind(step.op)) {
    machine_.access(step.address, 8, kind, step.pc);
    step.result = access(step);
  } else if (!quick(step)) {
    step.result = kernel(step);
  }
  step.state = Step::State::kDone;
}

// The access that was announced.
uint64_t Runtime::access(const Step& step) {
  const uint64_t old = (access_kind(step.op) & kRead) ? load(step.address) : 0;
  uint64_t now = step.a;
  switch (step.op) {
    case Op::kStore: case Op::kWriteOnce: case Op::kStoreRelease: store(step.address, now); return 0;
    case Op::kLocalAdd: store(step.address, old + now); return old + now;
    case Op::kExchange: break;
    case Op::kFetchAdd: now += old; break;
    case Op::kCompareExchange: now = old == step.a ? step.b : old; break;
    default: return old;
  }
  store(step.address, now);
  if (now != old) ++machine_.hot().writes;
  return old;
}

uint64_t Runtime::kernel(const Step& step) {
  const uintptr_t pc = step.pc;
  const auto at = [](uintptr_t address, auto* type) { return reinterpret_cast<decltype(type)>(address); };
  auto* spin = at(step.address, static_cast<plait_spinlock*>(nullptr));
  auto* mutex = at(step.address, static_cast<plait_mutex*>(nullptr));
  auto* queue = at(step.address, static_cast<plait_wait_queue*>(nullptr));
  auto* semaphore = at(step.address, static_cast<plait_semaphore*>(nullptr));
  switch (step.op) {
    case Op::kFence: machine_.fence(__ATOMIC_SEQ_CST, pc); break;
    case Op::kPreemptEnable: machine_.preempt_enable(pc); break;
    case Op::kSpinLock: machine_.spin_lock(spin, pc); break;
    case Op::kSpinTrylock: return machine_.spin_trylock(spin, pc);
    case Op::kSpinUnlock: machine_.spin_unlock(spin, pc); break;
    case Op::kMutexLock: machine_.mutex_lock(mutex, pc); break;
    case Op::kMutexTrylock: return machine_.mutex_trylock(mutex, pc);
    case Op::kMutexUnlock: machine_.mutex_unlock(mutex, pc); break;
    case Op::kWait: machine_.wait(queue, pc); break;
    case Op::kWaitPrepare: machine_.wait_prepare(queue, pc); break;
    case Op::kWaitCommit: machine_.wait_commit(queue, pc); break;
    case Op::kWaitCancel: machine_.wait_cancel(queue, pc); break;
    case Op::kWaitMutex: machine_.wait_mutex(queue, at(step.a, static_cast<plait_mutex*>(nullptr)), pc); break;
    case Op::kWakeOne: machine_.wake(queue, false, pc); break;
    case Op::kWakeAll: machine_.wake(queue, true, pc); break;
    case Op::kSemDown: machine_.sem_down(semaphore, pc); break;
    case Op::kSemTrydown: return machine_.sem_trydown(semaphore, pc);
    case Op::kSemUp: machine_.sem_up(semaphore, pc); break;
    case Op::kMightSleep: machine_.might_sleep(pc); break;
    case Op::kPageAlloc:
      return reinterpret_cast<uintptr_t>(machine_.page_alloc(step.a, static_cast<uint32_t>(step.b), pc));
    case Op::kPageFree: machine_.page_free(reinterpret_cast<void*>(step.address), step.a, pc); break;
    case Op::kRelax: machine_.relax(pc); break;
    case Op::kWorkerStart:
      machine_.worker_start(static_cast<uint32_t>(step.a), worker, reinterpret_cast<void*>(step.b), pc);
      break;
    default: break;
  }
  return 0;
}

// ---- on the main stack

// While one lives, what hangs in the interpreter hangs in the model.
class Runtime::InPython {
 public:
  explicit InPython(Runtime& runtime) : runtime_(runtime) {
    runtime_.in_python_ = true;
    ++runtime_.entries_;
  }
  ~InPython() { runtime_.in_python_ = false; }

 private:
  Runtime& runtime_;
};

void Runtime::begin(void* argument) {
  Call& call = *static_cast<Call*>(argument);
  const InPython inside(*call.runtime);
  PyObject* made = nullptr;
  if (call.rest) {
    PyObject* first = PyTuple_Pack(1, call.first);
    PyObject* all = first ? PySequence_Concat(first, call.rest) : nullptr;
    made = all ? PyObject_CallObject(call.method, all) : nullptr;
    Py_XDECREF(first);
    Py_XDECREF(all);
  } else {
    PyObject* second = call.has_second ? PyLong_FromUnsignedLongLong(call.second) : nullptr;
    PyObject* arguments[] = {call.first, second};
    made = PyObject_Vectorcall(call.method, arguments, call.has_second ? 2 : 1, nullptr);
    Py_XDECREF(second);
  }
  if (!made) {
    call.runtime->raised(call);
  } else if (PyCoro_CheckExact(made)) {
    call.coroutine = made;
    call.runtime->live_.push_back(made);
    call.runtime->advance(call);
  } else {
    call.runtime->returned(call, made);
    Py_DECREF(made);
  }
}

void Runtime::resume(void* argument) {
  Call& call = *static_cast<Call*>(argument);
  const InPython inside(*call.runtime);
  call.runtime->advance(call);
}

void Runtime::advance(Call& call) {
  PyObject* result = nullptr;
  switch (PyIter_Send(call.coroutine, Py_None, &result)) {
    case PYGEN_NEXT:
      if (Py_TYPE(result) == g_step_type) {
        // The coroutine holds the step while it waits for it.
        call.step = reinterpret_cast<Step*>(result);
        call.state = Call::State::kWaiting;
        Py_DECREF(result);
        return;
      }
      PyErr_Format(PyExc_TypeError, "a model awaits a %s; only steps of plait.model can be awaited", Py_TYPE(result)->tp_name);
      raised(call);
      break;
    case PYGEN_RETURN: returned(call, result); break;
    case PYGEN_ERROR: raised(call); break;
  }
  Py_XDECREF(result);
  forget(call.coroutine);
}

void Runtime::forget(PyObject* coroutine) {
  const auto found = std::find(live_.rbegin(), live_.rend(), coroutine);
  if (found == live_.rend()) return;
  *found = live_.back();
  live_.pop_back();
  Py_DECREF(coroutine);
}

void Runtime::returned(Call& call, PyObject* value) {
  call.state = Call::State::kReturned;
  call.refused = value == Py_False;
  if (call.method == methods_.alloc && !to_word(value, call.value)) raised(call);
}

// Closing runs what is left of the coroutines (with blocks, finally), in which every step is done at once.
void Runtime::over(void* argument) {
  Runtime& runtime = *static_cast<Runtime*>(argument);
  if (runtime.live_.empty()) return;
  runtime.closing_ = true;
  for (PyObject* each : runtime.live_) {
    PyObject* closed = PyObject_CallMethod(each, "close", nullptr);
    if (!closed) PyErr_Clear();
    Py_XDECREF(closed);
    Py_DECREF(each);
  }
  runtime.live_.clear();
  runtime.closing_ = false;
}

uint64_t Runtime::add_worker(PyObject* method, PyObject* arguments) {
  workers_.push_back({Py_NewRef(method), Py_NewRef(arguments)});
  return workers_.size() - 1;
}

// ---- check

void Runtime::run_check(void* argument) {
  Call& call = *static_cast<Call*>(argument);
  Runtime& runtime = *call.runtime;
  const InPython inside(runtime);
  runtime.checking_ = true;
  runtime.reports_.clear();
  runtime.fault_ = Machine::kNoAddress;
  runtime.peeks_ = 0;
  PyObject* arguments[] = {call.first};
  PyObject* result = PyObject_Vectorcall(call.method, arguments, 1, nullptr);
  runtime.checking_ = false;
  if (result) {
    Py_DECREF(result);
  } else {
    runtime.raised(call);
    if (call.kind == FailureKind::kAssertion) call.kind = FailureKind::kInvariant;
    if (runtime.peeks_ > kPeeksMax) {
      call.kind = FailureKind::kLivelock;
      call.message = "init or check did not come to an end";
    }
  }
}

bool Runtime::peek(uintptr_t address, uint64_t& word) {
  if (++peeks_ > kPeeksMax) {
    PyErr_SetString(PyExc_RuntimeError, "check does not come to an end");
    return false;
  }
  const GranuleState state = machine_.memory().state(address);
  if ((address & 7) == 0 && (state == kOwned || state == kLive)) {
    word = load(address);
    return true;
  }
  fault_ = address;
  fault_pc_ = pc_of(sites_.of(PyEval_GetFrame()));
  PyErr_SetString(PyExc_LookupError, "peek() at an address that is not the target's");
  return false;
}

void Runtime::report(Reported what, uintptr_t address, uint32_t cpu, uint32_t home) {
  reports_.push_back({what, address, cpu, home, pc_of(sites_.of(PyEval_GetFrame()))});
}

}  // namespace plait::model
