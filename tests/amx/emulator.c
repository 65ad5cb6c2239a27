// Emulates Intel AMX (tiles, bf16 products) on a CPU without it: preloaded into a process, it catches the illegal-instruction signal of
// each tile instruction, does what the manual says, and steps over it. For the tests: the emitted kernels run byte for byte, only slower.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter "Intel AMX instructions".

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <xmmintrin.h>

#define TILES 8
#define ROWS 16
#define ROW_BYTES 64

typedef int (*sigaction_fn)(int, const struct sigaction *, struct sigaction *);

static __thread uint8_t tile[TILES][ROWS][ROW_BYTES];
static __thread uint8_t rows[TILES];
static __thread uint16_t row_bytes[TILES];
static __thread int configured;

static struct sigaction next_handler;
static sigaction_fn real_sigaction;

static void release_tiles(void) {
    configured = 0;
    memset(rows, 0, sizeof rows);
    memset(row_bytes, 0, sizeof row_bytes);
    memset(tile, 0, sizeof tile);
}

// False where the CPU would raise a general protection fault.
static int load_configuration(const uint8_t *config) {
    if (config[0] == 0) {
        release_tiles();
        return 1;
    }
    if (config[0] != 1)
        return 0;
    for (int i = 2; i < 16; i++) // start_row (byte 1) is allowed; the rest is reserved
        if (config[i] != 0)
            return 0;
    for (int t = 0; t < 16; t++) {
        uint16_t bytes;
        memcpy(&bytes, config + 16 + 2 * t, sizeof bytes);
        if (t >= TILES ? bytes != 0 || config[48 + t] != 0 : bytes > ROW_BYTES || config[48 + t] > ROWS)
            return 0;
    }
    release_tiles();
    for (int t = 0; t < TILES; t++) {
        memcpy(&row_bytes[t], config + 16 + 2 * t, sizeof row_bytes[t]);
        rows[t] = config[48 + t];
    }
    configured = 1;
    return 1;
}

static float from_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

// Even and odd members of the pairs are summed apart over all of k, then together, then into the destination.
static void multiply_bf16(int to, int a, int b) {
    for (int m = 0; m < rows[to]; m++) {
        float even[ROWS] = {0}, odd[ROWS] = {0};
        for (int k = 0; k < row_bytes[a] / 4; k++) {
            uint16_t pair[2];
            memcpy(pair, tile[a][m] + 4 * k, sizeof pair);
            const uint16_t *line = (const uint16_t *)tile[b][k];
            float first = from_bf16(pair[0]), second = from_bf16(pair[1]);
            for (int n = 0; n < row_bytes[to] / 4; n++) {
                even[n] = __builtin_fmaf(first, from_bf16(line[2 * n]), even[n]);
                odd[n] = __builtin_fmaf(second, from_bf16(line[2 * n + 1]), odd[n]);
            }
        }
        float *sum = (float *)tile[to][m];
        for (int n = 0; n < row_bytes[to] / 4; n++)
            sum[n] += even[n] + odd[n];
        memset(tile[to][m] + row_bytes[to], 0, ROW_BYTES - row_bytes[to]);
    }
    for (int m = rows[to]; m < ROWS; m++)
        memset(tile[to][m], 0, ROW_BYTES);
}

static int64_t general(const ucontext_t *context, int number) {
    static const int at[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return context->uc_mcontext.gregs[at[number]];
}

struct memory {
    uint8_t *start;
    int64_t stride;
    int length; // of ModRM, SIB and displacement, in bytes
};

// Base + displacement, and the index register as the stride of rows.
static struct memory address(const ucontext_t *context, const uint8_t *modrm, int high_index, int high_base) {
    struct memory result = {0, 0, 1};
    int mode = *modrm >> 6, base = *modrm & 7;
    int64_t start = 0;
    if (base == 4) {
        uint8_t sib = modrm[1];
        int index = (sib >> 3 & 7) | high_index << 3;
        base = sib & 7;
        result.length++;
        if (index != 4)
            result.stride = general(context, index) << (sib >> 6);
    }
    const uint8_t *displacement = modrm + result.length;
    if (mode == 1) {
        start = *(const int8_t *)displacement;
        result.length += 1;
    } else if (mode == 2 || (mode == 0 && base == 5)) {
        int32_t wide;
        memcpy(&wide, displacement, sizeof wide);
        start = wide;
        result.length += 4;
    }
    if (mode != 0 || base != 5)
        start += general(context, base | high_base << 3);
    result.start = (uint8_t *)start;
    return result;
}

static void load_tile(int t, struct memory m) {
    memset(tile[t], 0, sizeof tile[t]);
    for (int r = 0; r < rows[t]; r++)
        memcpy(tile[t][r], m.start + r * m.stride, row_bytes[t]);
}

static void store_tile(int t, struct memory m) {
    for (int r = 0; r < rows[t]; r++)
        memcpy(m.start + r * m.stride, tile[t][r], row_bytes[t]);
}

// The length of the instruction that was emulated; 0 for any other.
static int emulate(const ucontext_t *context, const uint8_t *code) {
    if (code[0] != 0xC4 || (code[1] & 0x1F) != 2 || (code[2] & 0x84) != 0) // a VEX prefix of three bytes, map 0F38, W0, 128 bits
        return 0;
    int high_index = !(code[1] & 0x40), high_base = !(code[1] & 0x20);
    int prefix = code[2] & 3, third = ~(code[2] >> 3) & 15; // 0: none, 1: 66, 2: F3, 3: F2
    const uint8_t *modrm = code + 4;
    int reg = *modrm >> 3 & 7, is_register = *modrm >> 6 == 3;
    if (code[3] == 0x49 && prefix == 0 && is_register) { // tilerelease
        release_tiles();
        return 5;
    }
    if (code[3] == 0x49 && prefix == 0) { // ldtilecfg
        struct memory m = address(context, modrm, high_index, high_base);
        return load_configuration(m.start) ? 4 + m.length : 0;
    }
    if (!configured)
        return 0;
    if (code[3] == 0x49 && prefix == 3 && is_register) { // tilezero
        memset(tile[reg], 0, sizeof tile[reg]);
        return 5;
    }
    if (code[3] == 0x4B && !is_register && prefix != 0) { // tileloadd (F2), tileloaddt1 (66), tilestored (F3)
        struct memory m = address(context, modrm, high_index, high_base);
        if (prefix == 2)
            store_tile(reg, m);
        else
            load_tile(reg, m);
        return 4 + m.length;
    }
    if (code[3] == 0x5C && prefix == 2 && is_register && third < TILES) { // tdpbf16ps
        int a = *modrm & 7;
        if (reg == a || reg == third || a == third || row_bytes[a] / 4 != rows[third] || rows[a] != rows[reg] || row_bytes[third] != row_bytes[reg])
            return 0;
        multiply_bf16(reg, a, third);
        return 5;
    }
    return 0;
}

static void on_illegal_instruction(int signal, siginfo_t *info, void *context) {
    ucontext_t *state = context;
    // Nearest even, no exceptions, subnormals are zero: the product takes no notice of the control register.
    unsigned control = _mm_getcsr();
    _mm_setcsr(0x9FC0);
    int length = emulate(state, (const uint8_t *)state->uc_mcontext.gregs[REG_RIP]);
    _mm_setcsr(control);
    if (length != 0) {
        state->uc_mcontext.gregs[REG_RIP] += length;
    } else if (next_handler.sa_flags & SA_SIGINFO) {
        next_handler.sa_sigaction(signal, info, context);
    } else if (next_handler.sa_handler != SIG_DFL && next_handler.sa_handler != SIG_IGN) {
        next_handler.sa_handler(signal);
    } else {
        next_handler.sa_handler = SIG_DFL;
        real_sigaction(signal, &next_handler, 0); // the instruction runs again and ends the process
    }
}

// Who asks for the signal comes after us.
int sigaction(int signal, const struct sigaction *action, struct sigaction *old) {
    if (signal != SIGILL)
        return real_sigaction(signal, action, old);
    if (old)
        *old = next_handler;
    if (action)
        next_handler = *action;
    return 0;
}

__attribute__((constructor)) static void install(void) {
    real_sigaction = (sigaction_fn)dlsym(RTLD_NEXT, "sigaction");
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_illegal_instruction;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
    real_sigaction(SIGILL, &ours, &next_handler);
}
