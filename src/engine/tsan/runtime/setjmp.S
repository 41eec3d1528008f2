// SPDX-License-Identifier: Apache-2.0
//
// setjmp and its relatives return twice, so they cannot be called from a function that has returned by then: each
// stub tells the engine about the buffer and the caller's frame and then jumps to the real one with the caller's
// stack and registers as they were.

#if defined(__x86_64__)

.macro STUB name
	.globl	__wrap_\name
	.hidden	__wrap_\name
	.type	__wrap_\name, @function
	.p2align 4
__wrap_\name:
	.cfi_startproc
	endbr64
	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	pushq	%rsi
	.cfi_adjust_cfa_offset 8
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	leaq	32(%rsp), %rsi		// the caller's stack pointer after the return
	call	plait_rt_note_setjmp
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%rsi
	.cfi_adjust_cfa_offset -8
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	jmp	__real_\name@PLT
	.cfi_endproc
	.size	__wrap_\name, . - __wrap_\name
.endm

#elif defined(__aarch64__)

.macro STUB name
	.globl	__wrap_\name
	.hidden	__wrap_\name
	.type	__wrap_\name, %function
	.p2align 4
__wrap_\name:
	.cfi_startproc
	hint	#34			// bti c
	stp	x29, x30, [sp, #-32]!
	.cfi_def_cfa_offset 32
	.cfi_offset x29, -32
	.cfi_offset x30, -24
	stp	x0, x1, [sp, #16]
	add	x1, sp, #32		// the caller's stack pointer
	bl	plait_rt_note_setjmp
	ldp	x0, x1, [sp, #16]
	ldp	x29, x30, [sp], #32
	.cfi_restore x29
	.cfi_restore x30
	.cfi_def_cfa_offset 0
	b	__real_\name
	.cfi_endproc
	.size	__wrap_\name, . - __wrap_\name
.endm

#else
#error "no setjmp stubs for this processor"
#endif

	.text
	STUB setjmp
	STUB _setjmp
	STUB __sigsetjmp

	.section .note.GNU-stack, "", %progbits
