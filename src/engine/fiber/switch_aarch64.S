// SPDX-License-Identifier: Apache-2.0
//
// aarch64, AAPCS64: what fiber.h cannot say in C++. fpcr is not switched, for the reason given in switch_x86_64.S.
// Nothing here is marked for BTI: a linker that sees this file turns it off for the module.
#if defined(__aarch64__)

	.text

// void plait_fiber_switch(void** save_sp, void* load_sp)
// In the unwind information 72 to 79 are d8 to d15.
//
// Saved frame of 160 bytes, from the stack pointer up: x29 x30 x19..x28 d8..d15. Both stacks hold the same frame at
// the point where sp changes, so the unwind information is right before and after it.
	.globl	plait_fiber_switch
	.hidden	plait_fiber_switch
	.type	plait_fiber_switch, %function
	.p2align 4
plait_fiber_switch:
	.cfi_startproc
	hint	#34			// bti c
	stp	x29, x30, [sp, #-160]!
	.cfi_def_cfa_offset 160
	.cfi_offset x29, -160
	.cfi_offset x30, -152
	stp	x19, x20, [sp, #16]
	.cfi_offset x19, -144
	.cfi_offset x20, -136
	stp	x21, x22, [sp, #32]
	.cfi_offset x21, -128
	.cfi_offset x22, -120
	stp	x23, x24, [sp, #48]
	.cfi_offset x23, -112
	.cfi_offset x24, -104
	stp	x25, x26, [sp, #64]
	.cfi_offset x25, -96
	.cfi_offset x26, -88
	stp	x27, x28, [sp, #80]
	.cfi_offset x27, -80
	.cfi_offset x28, -72
	stp	d8, d9, [sp, #96]
	.cfi_offset 72, -64
	.cfi_offset 73, -56
	stp	d10, d11, [sp, #112]
	.cfi_offset 74, -48
	.cfi_offset 75, -40
	stp	d12, d13, [sp, #128]
	.cfi_offset 76, -32
	.cfi_offset 77, -24
	stp	d14, d15, [sp, #144]
	.cfi_offset 78, -16
	.cfi_offset 79, -8
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	ldp	x29, x30, [sp], #160
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore 72
	.cfi_restore 73
	.cfi_restore 74
	.cfi_restore 75
	.cfi_restore 76
	.cfi_restore 77
	.cfi_restore 78
	.cfi_restore 79
	ret
	.cfi_endproc
	.size	plait_fiber_switch, . - plait_fiber_switch

// Where a prepared fiber begins: `ret` above comes here with the fiber in x19 and its first function in x20. An
// undefined return address tells unwinders and debuggers that this is the outermost frame.
	.globl	plait_fiber_start
	.hidden	plait_fiber_start
	.type	plait_fiber_start, %function
	.p2align 4
plait_fiber_start:
	.cfi_startproc
	.cfi_undefined x30
	mov	x0, x19
	mov	x29, xzr		// ends the chain of frame pointers
	mov	x30, xzr
	blr	x20
	brk	#1
	.cfi_endproc
	.size	plait_fiber_start, . - plait_fiber_start

// uintptr_t plait_probe_word(uintptr_t address): the word there, 0 when it cannot be read. The crash handler knows the
// two labels and continues a fault at the first one at the second (crash.cc).
	.globl	plait_probe_word, plait_probe_load, plait_probe_done
	.hidden	plait_probe_word, plait_probe_load, plait_probe_done
	.type	plait_probe_word, %function
	.p2align 4
plait_probe_word:
	.cfi_startproc
	hint	#34			// bti c
	mov	x1, x0
	mov	x0, xzr
plait_probe_load:
	ldr	x0, [x1]
plait_probe_done:
	ret
	.cfi_endproc
	.size	plait_probe_word, . - plait_probe_word

#endif
	.section .note.GNU-stack, "", %progbits
