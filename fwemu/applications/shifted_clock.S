# The three clocks of the vDSO, shifted.  x86-64; lies in the unused end of the vDSO's last page.
#
# Position-independent: nothing but its own data and the vDSO's own clock_gettime is used, and no
# system call is made that the program would not have made, since a seccomp filter might end it.
# `shifted_clock.py` has the octets of this file; tests/applications/test_shifted_clock.py
# assembles it and compares them.

        .text

# -- data: a cache line of its own, since it is written while others run the code -----------------
mark:           .ascii  "fwemu\0\0\1"           # 0x00  who has been here; the last octet is a version
wall:           .quad   0                       # 0x08  nanoseconds: the clocks that show the time of day
monotonic:      .quad   0                       # 0x10  nanoseconds: the clocks that count from the boot
                .space  40                      # 0x18  what stood where the jumps stand (shifted_clock.py)

# -- int clock_gettime(clockid_t edi, struct timespec *rsi) ----------------------------------------
        .balign 64                              # 0x40
clock_gettime:
        push    %rdi
        push    %rsi
        sub     $8, %rsp                        # the stack is aligned where a function is called
        call    original
        add     $8, %rsp
        pop     %rsi
        pop     %rdi
        test    %eax, %eax
        jnz     2f
        cmp     $11, %edi                       # processors' clocks are negative, others are above
        ja      2f
        mov     $0x921, %ecx                    # REALTIME 0, REALTIME_COARSE 5, REALTIME_ALARM 8, TAI 11
        bt      %edi, %ecx
        jc      0f
        mov     $0x2d2, %ecx                    # MONOTONIC 1, RAW 4, COARSE 6, BOOTTIME 7, BOOTTIME_ALARM 9
        bt      %edi, %ecx
        jnc     2f
        mov     monotonic(%rip), %rax
        jmp     1f
0:      mov     wall(%rip), %rax
1:      add     8(%rsi), %rax
        imul    $1000000000, (%rsi), %rdx
        add     %rdx, %rax
        xor     %edx, %edx
        mov     $1000000000, %ecx
        div     %rcx
        mov     %rax, (%rsi)
        mov     %rdx, 8(%rsi)
        xor     %eax, %eax
2:      ret

# -- int gettimeofday(struct timeval *rdi, struct timezone *rsi) -----------------------------------
        .balign 16                              # 0xa0
gettimeofday:
        test    %rsi, %rsi                      # the kernel's time zone is zero nearly everywhere, and
        jz      0f                              # it is not asked, since that were a system call
        movq    $0, (%rsi)
0:      test    %rdi, %rdi
        jz      1f
        push    %rdi
        mov     %rdi, %rsi
        xor     %edi, %edi
        call    clock_gettime
        pop     %rdi
        test    %eax, %eax
        jnz     2f
        mov     8(%rdi), %rax
        xor     %edx, %edx
        mov     $1000, %ecx
        div     %rcx
        mov     %rax, 8(%rdi)
1:      xor     %eax, %eax
2:      ret

# -- time_t time(time_t *rdi) ----------------------------------------------------------------------
        .balign 16                              # 0xe0
time:
        push    %rdi
        sub     $16, %rsp
        mov     %rsp, %rsi
        mov     $5, %edi                        # REALTIME_COARSE, as the kernel has it
        call    clock_gettime
        pop     %rax
        pop     %rdx
        pop     %rdi
        test    %rdi, %rdi
        jz      0f
        mov     %rax, (%rdi)
0:      ret

# -- the first instructions of the vDSO's clock_gettime, and a jump behind them in it ----------------
        .balign 16                              # 0x100
original:
        .space  48, 0xcc
