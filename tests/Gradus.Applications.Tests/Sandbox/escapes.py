# Attempts to leave the sandbox, run inside it by CPython with ctypes, so that no library stands between an attempt and the kernel.
# Each returns something true where it got through. One line a result: name, tab, "ESCAPED" or what held it.
import ctypes, errno, fcntl, os, signal, socket, struct, sys, threading, time

SECRET, PORT, PARENT, STATUS = sys.argv[1], int(sys.argv[2]), os.getppid(), os.path.join(os.getcwd(), "..", "status")
libc = ctypes.CDLL(None, use_errno=True)
ATTEMPTS = []
X64 = dict(ptrace=101, mount=165, umount2=166, pivot_root=155, chroot=161, unshare=272, setns=308, open_by_handle_at=304, name_to_handle_at=303, memfd_create=319,
           execveat=322, fanotify_init=300, inotify_init1=294, openat2=437, process_vm_readv=310, process_vm_writev=311, pidfd_open=434, pidfd_getfd=438,
           pidfd_send_signal=424, kcmp=312, perf_event_open=298, io_uring_setup=425, io_uring_enter=426, bpf=321, userfaultfd=323, keyctl=250, add_key=248,
           request_key=249, rt_sigqueueinfo=129, tgkill=234, tkill=200, capset=126, personality=135, prlimit64=302, reboot=169, swapon=167, init_module=175,
           finit_module=313, kexec_load=246, settimeofday=164, clock_settime=227, sethostname=170, shmget=29, msgget=68, mq_open=240, semget=64, clone3=435,
           clone=56, fork=57, vfork=58, mknodat=259, truncate=76, setxattr=188, fchmodat=268, fchmodat2=452, utimensat=280, quotactl=179, acct=163, iopl=172,
           ioperm=173, modify_ldt=154, lookup_dcookie=212, vmsplice=278, splice=275, tee=276, move_pages=279, migrate_pages=256, mbind=237, process_madvise=440,
           open_tree=428, move_mount=429, fsopen=430, fsmount=432, fspick=433, landlock_create_ruleset=444, seccomp=317, sched_setscheduler=144,
           setpriority=141, prctl=157, syslog=103, vhangup=153, uselib=134, memfd_secret=447, futimesat=261, mount_setattr=442, listmount=458, statmount=457)


def attempt(function):
    ATTEMPTS.append(function)
    return function


def call(name, *arguments):
    result = libc.syscall(X64[name], *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True


def by_call(name, *arguments, title=None):
    def run():
        return call(name, *arguments)
    run.__name__ = title or "call_" + name
    ATTEMPTS.append(run)


def read(path):
    with open(path, "rb") as file:
        return file.read(64) or b"empty"


def reads(title, path):
    def run():
        return read(path)
    run.__name__ = title
    ATTEMPTS.append(run)


def writes(title, path):
    def run():
        with open(path, "ab") as file:
            file.write(b"x")
        return True
    run.__name__ = title
    ATTEMPTS.append(run)


def lists(title, path):
    def run():
        os.listdir(path)
        return True
    run.__name__ = title
    ATTEMPTS.append(run)


# Files
reads("read_secret", SECRET)
reads("read_by_own_root", "/proc/self/root" + SECRET)
reads("read_by_root_of_init", "/proc/1/root" + SECRET)
reads("read_by_root_of_parent", f"/proc/{PARENT}/root" + SECRET)
reads("read_by_own_cwd", "/proc/self/cwd/../../.." + SECRET)
reads("read_by_relative_path", "../" * 20 + SECRET.lstrip("/"))
reads("read_passwords", "/etc/shadow")
reads("read_accounts", "/etc/passwd")
reads("read_status_file", STATUS)
reads("read_environment_of_init", "/proc/1/environ")
reads("read_environment_of_parent", f"/proc/{PARENT}/environ")
reads("read_memory_of_parent", f"/proc/{PARENT}/mem")
reads("read_maps_of_parent", f"/proc/{PARENT}/maps")
reads("read_own_maps", "/proc/self/maps")
reads("read_kernel_memory", "/dev/mem")
reads("read_kernel_symbols", "/proc/kallsyms")
reads("read_mounts", "/proc/mounts")
reads("read_disk", "/dev/vda")
reads("read_first_disk", "/dev/sda")
reads("read_terminal", "/dev/tty")
reads("read_kernel_log", "/dev/kmsg")
writes("write_secret", SECRET)
writes("write_status_file", STATUS)
writes("write_beside_folder", "../beside")
writes("write_temporary_files", "/tmp/gradus-escape")
writes("write_shared_memory", "/dev/shm/gradus-escape")
writes("write_var", "/var/tmp/gradus-escape")
writes("write_system", "/usr/bin/gradus-escape")
writes("write_own_memory_file", "/proc/self/mem")
writes("write_core_pattern", "/proc/sys/kernel/core_pattern")
writes("write_sysrq", "/proc/sysrq-trigger")
writes("write_oom_score", "/proc/self/oom_score_adj")
writes("write_id_map", "/proc/self/uid_map")
lists("list_root", "/")
lists("list_temporary_files", "/tmp")
lists("list_homes", "/home")
lists("list_processes", "/proc")
lists("list_parent_descriptors", f"/proc/{PARENT}/fd")
lists("list_beside_folder", "..")
lists("list_system", "/sys")


@attempt
def read_by_symlink():
    os.symlink(SECRET, "link")
    return read("link")


@attempt
def read_by_symlink_to_folder():
    os.symlink(os.path.dirname(SECRET), "folder-link")
    return read("folder-link/" + os.path.basename(SECRET))


@attempt
def read_by_hard_link():
    os.link(SECRET, "hard-link")
    return read("hard-link")


@attempt
def rename_in():
    os.rename(SECRET, "taken")
    return read("taken")


@attempt
def rename_out():
    open("mine", "w").close()
    os.rename("mine", "../mine")
    return True


@attempt
def hard_link_out():
    open("mine-too", "w").close()
    os.link("mine-too", "../mine-too")
    return True


@attempt
def open_through_path_descriptor():
    descriptor = os.open(SECRET, os.O_PATH)
    return read(f"/proc/self/fd/{descriptor}")


@attempt
def open_at_descriptor_of_root():
    root = os.open("/", os.O_PATH)
    return os.read(os.open(SECRET.lstrip("/"), os.O_RDONLY, dir_fd=root), 10)


@attempt
def open_after_changing_folder():
    os.chdir(os.path.dirname(SECRET))
    try:
        return read(os.path.basename(SECRET))
    finally:
        os.chdir(HOME)


@attempt
def symlink_race():
    stop = time.monotonic() + 0.3

    def swap():
        while time.monotonic() < stop:
            for target in (SECRET, "own"):
                try:
                    os.symlink(target, "next")
                    os.rename("next", "race")
                except OSError:
                    pass
    open("own", "w").close()
    threading.Thread(target=swap, daemon=True).start()
    while time.monotonic() < stop:
        try:
            with open("race", "rb") as file:
                if file.read(10):
                    return True
        except OSError:
            pass
    return False


@attempt
def folder_rename_race():
    os.makedirs("a/b", exist_ok=True)
    stop = time.monotonic() + 0.3

    def swap():
        while time.monotonic() < stop:
            try:
                os.rename("a/b", "b")
                os.rename("b", "a/b")
            except OSError:
                pass
    threading.Thread(target=swap, daemon=True).start()
    inner = os.open("a/b", os.O_PATH)
    while time.monotonic() < stop:
        try:
            descriptor = os.open("../" * 12 + SECRET.lstrip("/"), os.O_RDONLY, dir_fd=inner)
            if os.read(descriptor, 10):
                return True
        except OSError:
            pass
    return False


@attempt
def remove_secret():
    os.unlink(SECRET)
    return True


@attempt
def truncate_secret():
    return call("truncate", SECRET.encode(), 0)


@attempt
def open_truncating():
    os.close(os.open(SECRET, os.O_WRONLY | os.O_TRUNC))
    return True


@attempt
def change_rights():
    os.chmod(SECRET, 0o777)
    return True


@attempt
def change_owner():
    os.chown(SECRET, os.getuid(), -1)
    return True


@attempt
def change_times():
    os.utime(SECRET, (0, 0))
    return True


@attempt
def set_attribute():
    os.setxattr(SECRET, "user.gradus", b"x")
    return True


@attempt
def make_folder_outside():
    os.mkdir("/tmp/gradus-escape-folder")
    return True


@attempt
def make_device():
    return call("mknodat", -100, b"device", 0o20666, os.makedev(1, 1))


@attempt
def make_setuid_program():
    open("program", "w").close()
    os.chmod("program", 0o4777)
    return True


@attempt
def run_own_binary():
    with open("/usr/bin/true", "rb") as source, open("copied", "wb") as copy:
        copy.write(source.read())
    os.execv(os.path.abspath("copied"), ["copied"])


@attempt
def copy_from_secret():
    descriptor = os.open(SECRET, os.O_RDONLY)
    return os.sendfile(1, descriptor, 0, 10)


@attempt
def watch_folder_by_fcntl():
    fcntl.fcntl(os.open("/usr", os.O_RDONLY), 1026, 1)
    return True


# Other processes
by_call("ptrace", 16, PARENT, 0, 0, title="ptrace_parent")
by_call("ptrace", 0, 0, 0, 0, title="ptrace_me")
by_call("process_vm_readv", PARENT, 0, 0, 0, 0, 0)
by_call("process_vm_writev", PARENT, 0, 0, 0, 0, 0)
by_call("pidfd_open", PARENT, 0)
by_call("pidfd_getfd", 0, 0, 0)
by_call("pidfd_send_signal", 0, 0, 0, 0)
by_call("kcmp", PARENT, os.getpid(), 0, 0, 0)
by_call("perf_event_open", 0, 0, -1, -1, 0)
by_call("process_madvise", 0, 0, 0, 0, 0)
by_call("migrate_pages", PARENT, 0, 0, 0)
by_call("move_pages", PARENT, 0, 0, 0, 0, 0)
by_call("tgkill", PARENT, PARENT, 0, title="signal_thread_of_parent")
by_call("tkill", PARENT, 0, title="signal_task_of_parent")
by_call("rt_sigqueueinfo", PARENT, 0, 0)
by_call("sched_setscheduler", 0, 1, b"\1\0\0\0")
by_call("setpriority", 0, 0, -20)


@attempt
def signal_parent():
    os.kill(PARENT, 0)
    return True


@attempt
def signal_init():
    os.kill(1, 0)
    return True


@attempt
def signal_everyone():
    os.kill(-1, 0)
    return True


@attempt
def signal_by_owner_of_descriptor():
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, PARENT)
    return True


@attempt
def limit_parent():
    return call("prlimit64", PARENT, 7, struct.pack("QQ", 3, 3), None)


@attempt
def raise_own_limit():
    return call("prlimit64", 0, 9, struct.pack("QQ", 2**63, 2**63), None)


@attempt
def leave_session():
    os.setsid()
    return True


@attempt
def leave_group():
    os.setpgid(0, 0)
    return True


@attempt
def outlive_parent():
    return call("prctl", 1, 0, 0, 0, 0)


# Kernel interfaces
for name, arguments in [
    ("io_uring_setup", (8, bytes(120))), ("io_uring_enter", (0, 0, 0, 0, 0, 0)), ("bpf", (0, 0, 0)), ("userfaultfd", (1,)), ("keyctl", (0, -3, 1)),
    ("add_key", (b"user", b"x", b"x", 1, -3)), ("request_key", (b"user", b"x", 0, -3)), ("memfd_create", (b"x", 0)), ("memfd_secret", (0,)),
    ("execveat", (0, b"", 0, 0, 0x1000)), ("fanotify_init", (0, 0)), ("inotify_init1", (0,)), ("openat2", (-100, SECRET.encode(), bytes(24), 24)),
    ("open_by_handle_at", (-100, bytes(16), 0)), ("name_to_handle_at", (-100, SECRET.encode(), struct.pack("Ii", 128, 0) + bytes(128), bytes(8), 0)),
    ("mount", (b"none", b"/", b"tmpfs", 0, 0)), ("umount2", (b"/proc", 2)), ("pivot_root", (b".", b".")), ("chroot", (b".",)), ("setns", (0, 0)),
    ("open_tree", (-100, b"/", 1)), ("move_mount", (-100, b"", -100, b"", 0)), ("fsopen", (b"tmpfs", 0)), ("fspick", (-100, b"/", 0)),
    ("mount_setattr", (-100, b"/", 0, bytes(32), 32)), ("listmount", (bytes(32), bytes(64), 8, 0)), ("statmount", (bytes(32), bytes(512), 512, 0)),
    ("reboot", (0xFEE1DEAD, 672274793, 0, 0)), ("swapon", (b"x", 0)), ("init_module", (b"x", 1, b"")), ("finit_module", (0, b"", 0)), ("kexec_load", (0, 0, 0, 0)),
    ("settimeofday", (0, 0)), ("clock_settime", (0, bytes(16))), ("sethostname", (b"x", 1)), ("syslog", (3, bytes(64), 64)), ("acct", (0,)), ("quotactl", (0, 0, 0, 0)),
    ("iopl", (3,)), ("ioperm", (0, 1, 1)), ("modify_ldt", (0, 0, 0)), ("personality", (0x0040000,)), ("vmsplice", (1, 0, 0, 0)), ("splice", (0, 0, 1, 0, 1, 0)),
    ("shmget", (0, 4096, 0o1600)), ("msgget", (0, 0o1600)), ("semget", (0, 1, 0o1600)), ("mq_open", (b"x", 0o102, 0o600, 0)), ("capset", (struct.pack("Ii", 0x20080522, 0), bytes(24))),
    ("clone3", (bytes(88), 88)), ("landlock_create_ruleset", (bytes(8), 8, 0)), ("seccomp", (1, 0, 0)), ("vhangup", ()),
]:
    by_call(name, *arguments)
for title, flags in [("user", 0x10000000), ("mount", 0x20000), ("network", 0x40000000), ("process", 0x20000000), ("group", 0x02000000)]:
    by_call("unshare", flags, title=f"new_{title}_namespace")
    by_call("clone", flags | 17, 0, 0, 0, 0, title=f"clone_into_{title}_namespace")
for title, option in [("dumpable", 4), ("tracer", 0x59616D61), ("keep_capabilities", 8), ("subreaper", 36), ("secure_bits", 28), ("timer_slack", 29), ("ambient", 47)]:
    by_call("prctl", option, 1, 0, 0, 0, title=f"prctl_{title}")


@attempt
def push_into_terminal():
    fcntl.ioctl(0, 0x5412, b"x")
    return True


@attempt
def controlling_terminal():
    fcntl.ioctl(0, 0x540E, 0)
    return True


# Processes (one is allowed)
@attempt
def fork():
    if os.fork() == 0:
        os._exit(0)
    return True


@attempt
def vfork():
    return call("vfork")


@attempt
def spawn():
    return os.posix_spawn("/usr/bin/true", ["true"], {})


@attempt
def run_shell():
    import subprocess
    return subprocess.run(["/bin/sh", "-c", "true"], check=True)


# Network
def sockets(title, family, kind, use=lambda s: True):
    def run():
        return use(socket.socket(family, kind)) is None or True
    run.__name__ = title
    ATTEMPTS.append(run)


sockets("tcp", socket.AF_INET, socket.SOCK_STREAM, lambda s: s.connect(("127.0.0.1", PORT)))
sockets("tcp6", socket.AF_INET6, socket.SOCK_STREAM)
sockets("listen", socket.AF_INET, socket.SOCK_STREAM, lambda s: s.bind(("127.0.0.1", 0)))
sockets("udp", socket.AF_INET, socket.SOCK_DGRAM)
sockets("raw", socket.AF_INET, socket.SOCK_RAW)
sockets("unix", socket.AF_UNIX, socket.SOCK_STREAM)
sockets("abstract_unix", socket.AF_UNIX, socket.SOCK_STREAM, lambda s: s.connect("\0gradus"))
sockets("netlink", socket.AF_NETLINK, socket.SOCK_RAW)
sockets("packet", socket.AF_PACKET, socket.SOCK_RAW)
sockets("vsock", 40, socket.SOCK_STREAM)
sockets("alg", 38, socket.SOCK_SEQPACKET)


@attempt
def socket_pair():
    return socket.socketpair()


@attempt
def look_up_name():
    return socket.getaddrinfo("localhost", 80)


# Who it is
@attempt
def become_root():
    if os.getuid() != 0:
        os.setuid(0)
    return os.getuid() == 0


@attempt
def become_other_user():
    os.setresuid(1, 1, 1)
    return True


@attempt
def change_groups():
    os.setgroups([0])
    return True


@attempt
def environment_of_parent():
    return sorted(set(os.environ) - {"PATH", "HOME", "TMPDIR", "LANG", "LC_CTYPE"})


@attempt
def inherited_descriptors():
    found = []
    for descriptor in range(3, 256):
        try:
            os.fstat(descriptor)
            found.append(descriptor)
        except OSError:
            pass
    return [d for d in found if d not in OWN]


HOME = os.getcwd()
OWN = []
names = []
inherited = inherited_descriptors()
for function in ATTEMPTS:
    name = function.__name__
    try:
        got = inherited if name == "inherited_descriptors" else function()
        print(name, f"ESCAPED {got!r}" if got else "held", sep="\t")
    except OSError as error:
        print(name, errno.errorcode.get(error.errno, error), sep="\t")
    except Exception as error:
        print(name, type(error).__name__, sep="\t")
    sys.stdout.flush()
