// SPDX-License-Identifier: Apache-2.0
//
// x86-64, System V ABI: what fiber.h cannot say in C++.
//
// mxcsr and the x87 control word are not switched, although the ABI calls their control bits callee-saved: saving and
// loading them costs more than all the rest, no allocator changes them, and a thread that runs with other modes than
// the default runs all of its fibers with them.
//
// Nothing here is marked for shadow stacks (CET): a linker that sees this file turns them off for the module.
#if defined(__x86_64__)

	.text

// void plait_fiber_switch(void** save_sp, void* load_sp)
//
// Saved frame, from the stack pointer up: r15 r14 r13 r12 rbx rbp, return address. Both stacks hold the same frame at
// the point where rsp changes, so the unwind information is right before and after it.
//
// `ret` and not a jump: nearly all switches are made at one depth of the same functions, so the return predictor is
// right about this one and, what weighs more, about the callers' returns that follow. A jump leaves it one entry off:
// 30 ns instead of 7 for a switch three calls deep.
	.globl	plait_fiber_switch
	.hidden	plait_fiber_switch
	.type	plait_fiber_switch, @function
	.p2align 4
plait_fiber_switch:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	ret
	.cfi_endproc
	.size	plait_fiber_switch, . - plait_fiber_switch

// Where a prepared fiber begins: `ret` above comes here with the fiber in rbx, its first function in rbp and the stack
// pointer aligned. An undefined return address tells unwinders and debuggers that this is the outermost frame.
	.globl	plait_fiber_start
	.hidden	plait_fiber_start
	.type	plait_fiber_start, @function
	.p2align 4
plait_fiber_start:
	.cfi_startproc
	.cfi_undefined %rip
	.cfi_def_cfa %rsp, 0
	movq	%rbp, %rax
	movq	%rbx, %rdi
	xorl	%ebp, %ebp		// ends the chain of frame pointers
	call	*%rax
	ud2
	.cfi_endproc
	.size	plait_fiber_start, . - plait_fiber_start

// uintptr_t plait_probe_word(uintptr_t address): the word there, 0 when it cannot be read. The crash handler knows the
// two labels and continues a fault at the first one at the second (crash.cc).
	.globl	plait_probe_word, plait_probe_load, plait_probe_done
	.hidden	plait_probe_word, plait_probe_load, plait_probe_done
	.type	plait_probe_word, @function
	.p2align 4
plait_probe_word:
	.cfi_startproc
	endbr64
	xorl	%eax, %eax
plait_probe_load:
	movq	(%rdi), %rax
plait_probe_done:
	ret
	.cfi_endproc
	.size	plait_probe_word, . - plait_probe_word

#endif
	.section .note.GNU-stack, "", %progbits
