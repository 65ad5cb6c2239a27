// Numbers of system calls: x86-64 has a table of its own, Arm has the common one of newer architectures (asm-generic/unistd.h), which lacks the older
// of two calls with the same use.

using System.Collections.Frozen;
using System.Runtime.InteropServices;

namespace Gradus.Applications.Sandbox;

/// <summary>The numbers of the system calls that the sandbox makes or allows.</summary>
internal static class SystemCallNumbers
{
    private static readonly (string Name, short X64, short Arm64)[] Table =
    [
        ("read", 0, 63), ("write", 1, 64), ("readv", 19, 65), ("writev", 20, 66), ("pread64", 17, 67), ("pwrite64", 18, 68), ("preadv", 295, 69),
        ("pwritev", 296, 70), ("preadv2", 327, 286), ("pwritev2", 328, 287), ("close", 3, 57), ("close_range", 436, 436), ("lseek", 8, 62),
        ("open", 2, -1), ("openat", 257, 56), ("creat", 85, -1), ("access", 21, -1), ("faccessat", 269, 48), ("faccessat2", 439, 439),
        ("stat", 4, -1), ("fstat", 5, 80), ("lstat", 6, -1), ("newfstatat", 262, 79), ("statx", 332, 291), ("statfs", 137, 43), ("fstatfs", 138, 44),
        ("readlink", 89, -1), ("readlinkat", 267, 78), ("getcwd", 79, 17), ("chdir", 80, 49), ("fchdir", 81, 50), ("getdents", 78, -1),
        ("getdents64", 217, 61), ("mkdir", 83, -1), ("mkdirat", 258, 34), ("rmdir", 84, -1), ("unlink", 87, -1), ("unlinkat", 263, 35),
        ("rename", 82, -1), ("renameat", 264, 38), ("renameat2", 316, 276), ("symlink", 88, -1), ("symlinkat", 266, 36), ("link", 86, -1),
        ("linkat", 265, 37), ("ftruncate", 77, 46), ("fallocate", 285, 47), ("fsync", 74, 82), ("fdatasync", 75, 83), ("sync_file_range", 277, 84),
        ("fadvise64", 221, 223), ("flock", 73, 32), ("umask", 95, 166), ("copy_file_range", 326, 285), ("sendfile", 40, 71), ("dup", 32, 23),
        ("dup2", 33, -1), ("dup3", 292, 24), ("fcntl", 72, 25), ("pipe", 22, -1), ("pipe2", 293, 59), ("select", 23, -1), ("pselect6", 270, 72),
        ("poll", 7, -1), ("ppoll", 271, 73), ("epoll_create", 213, -1), ("epoll_create1", 291, 20), ("epoll_ctl", 233, 21), ("epoll_wait", 232, -1),
        ("epoll_pwait", 281, 22), ("epoll_pwait2", 441, 441), ("eventfd", 284, -1), ("eventfd2", 290, 19), ("timerfd_create", 283, 85),
        ("timerfd_settime", 286, 86), ("timerfd_gettime", 287, 87), ("mmap", 9, 222), ("munmap", 11, 215), ("mprotect", 10, 226), ("mremap", 25, 216),
        ("madvise", 28, 233), ("brk", 12, 214), ("mincore", 27, 232), ("msync", 26, 227), ("mlock", 149, 228), ("munlock", 150, 229),
        ("membarrier", 324, 283), ("execve", 59, 221), ("exit", 60, 93), ("exit_group", 231, 94), ("wait4", 61, 260), ("waitid", 247, 95),
        ("futex", 202, 98), ("futex_waitv", 449, 449), ("set_robust_list", 273, 99), ("get_robust_list", 274, 100), ("set_tid_address", 218, 96),
        ("rseq", 334, 293), ("gettid", 186, 178), ("getpid", 39, 172), ("getppid", 110, 173), ("getuid", 102, 174), ("geteuid", 107, 175),
        ("getgid", 104, 176), ("getegid", 108, 177), ("getresuid", 118, 148), ("getresgid", 120, 150), ("getgroups", 115, 158), ("getpgid", 121, 155),
        ("getpgrp", 111, -1), ("getsid", 124, 156), ("getpriority", 140, 141), ("getrusage", 98, 165), ("getrlimit", 97, 163), ("times", 100, 153),
        ("sysinfo", 99, 179), ("uname", 63, 160), ("getcpu", 309, 168), ("getrandom", 318, 278), ("clock_gettime", 228, 113),
        ("clock_getres", 229, 114), ("clock_nanosleep", 230, 115), ("gettimeofday", 96, 169), ("time", 201, -1), ("nanosleep", 35, 101),
        ("alarm", 37, -1), ("getitimer", 36, 102), ("setitimer", 38, 103), ("timer_create", 222, 107), ("timer_settime", 223, 110),
        ("timer_gettime", 224, 108), ("timer_getoverrun", 225, 109), ("timer_delete", 226, 111), ("rt_sigaction", 13, 134),
        ("rt_sigprocmask", 14, 135), ("rt_sigreturn", 15, 139), ("rt_sigsuspend", 130, 133), ("rt_sigpending", 127, 136),
        ("rt_sigtimedwait", 128, 137), ("sigaltstack", 131, 132), ("pause", 34, -1), ("restart_syscall", 219, 128), ("sched_yield", 24, 124),
        ("sched_getaffinity", 204, 123), ("sched_getparam", 143, 121), ("sched_getscheduler", 145, 120), ("sched_get_priority_max", 146, 125),
        ("sched_get_priority_min", 147, 126), ("get_mempolicy", 239, 236), ("arch_prctl", 158, -1), ("capget", 125, 90), ("clone", 56, 220),
        ("clone3", 435, 435), ("fork", 57, -1), ("vfork", 58, -1), ("kill", 62, 129), ("tgkill", 234, 131), ("ioctl", 16, 29), ("prctl", 157, 167),
        ("prlimit64", 302, 261), ("seccomp", 317, 277), ("landlock_create_ruleset", 444, 444), ("landlock_add_rule", 445, 445),
        ("landlock_restrict_self", 446, 446), ("capset", 126, 91), ("setresuid", 117, 147), ("setresgid", 119, 149), ("setgroups", 116, 159),
        ("setsid", 112, 157), ("fchownat", 260, 54), ("sched_setaffinity", 203, 122),
    ];

    private static readonly FrozenDictionary<string, int> Numbers = Table
        .Select(row => (row.Name, Number: RuntimeInformation.ProcessArchitecture == Architecture.X64 ? row.X64 : row.Arm64))
        .Where(row => row.Number >= 0)
        .ToFrozenDictionary(row => row.Name, row => (int)row.Number);

    /// <summary>A call's number, or null where this kind of processor has no such call.</summary>
    public static int? Find(string name) => Numbers.TryGetValue(name, out int number) ? number : null;

    /// <summary>Calls that act only on what a process already has, or on paths, which Landlock guards.</summary>
    public static IReadOnlyList<string> Harmless { get; } =
    [
        "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "close", "close_range", "lseek",
        "open", "openat", "creat", "access", "faccessat", "faccessat2", "stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs",
        "readlink", "readlinkat", "getcwd", "chdir", "fchdir", "getdents", "getdents64", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename",
        "renameat", "renameat2", "symlink", "symlinkat", "link", "linkat", "ftruncate", "fallocate", "fsync", "fdatasync", "sync_file_range",
        "fadvise64", "flock", "umask", "copy_file_range", "sendfile", "dup", "dup2", "dup3", "pipe", "pipe2", "select", "pselect6", "poll", "ppoll",
        "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "timerfd_create",
        "timerfd_settime", "timerfd_gettime", "mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "mincore", "msync", "mlock", "munlock",
        "membarrier", "execve", "exit", "exit_group", "wait4", "waitid", "futex", "futex_waitv", "set_robust_list", "get_robust_list",
        "set_tid_address", "rseq", "gettid", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
        "getpgid", "getpgrp", "getsid", "getpriority", "getrusage", "getrlimit", "times", "sysinfo", "uname", "getcpu", "getrandom", "clock_gettime",
        "clock_getres", "clock_nanosleep", "gettimeofday", "time", "nanosleep", "alarm", "getitimer", "setitimer", "timer_create", "timer_settime",
        "timer_gettime", "timer_getoverrun", "timer_delete", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigpending",
        "rt_sigtimedwait", "sigaltstack", "pause", "restart_syscall", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
        "sched_get_priority_max", "sched_get_priority_min", "get_mempolicy", "arch_prctl", "capget",
    ];
}
