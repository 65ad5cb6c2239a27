// The machine code of the AMX kernels, assembled once per process: .NET has no intrinsics for AMX or AVX512-BF16.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2 (LDTILECFG, TILELOADD, TDPBF16PS, VCVTNE2PS2BF16).
// Arguments come in rdi, rsi, rdx, rcx, r8, r9 (System V); nothing that the callee must preserve is touched.

using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Gradus.Tensors.Cpu;

/// <summary>Assembles the kernels, as bytes.</summary>
internal static class AmxCode
{
    private const int TileBytes = 1024;

    /// <summary>
    /// The tile configuration that <see cref="Configure"/> loads: palette 1, eight tiles of 16 rows × 64 bytes.
    /// </summary>
    public static byte[] Configuration()
    {
        byte[] bytes = new byte[64];
        bytes[0] = 1;
        for (int tile = 0; tile < 8; tile++)
            (bytes[16 + 2 * tile], bytes[48 + tile]) = (64, 16);
        return bytes;
    }

    /// <summary>void Configure(configuration): makes the tile registers of this thread usable and zero.</summary>
    public static byte[] Configure()
    {
        Assembler code = new(64);
        code.ldtilecfg(__[rdi]);
        code.ret();
        return Bytes(code);
    }

    /// <summary>void Release(): gives the tile registers of this thread back, so that switching threads costs no more than before.</summary>
    public static byte[] Release()
    {
        Assembler code = new(64);
        code.tilerelease();
        code.ret();
        return Bytes(code);
    }

    /// <summary>
    /// void Multiply(a, b, c, strideC, steps, load, ahead, aheadStride): a block of C, 16 or 32 rows × 32 floats, over steps · 32 of k. Per step a
    /// is two tiles of (16 rows, 32 k) and b two of (16 pairs of k, 16 columns × 2), 2 KB each. strideC is in bytes. With load the sums start
    /// from C. Every step also asks for 256 bytes at ahead, which then goes aheadStride bytes further, to be in the L2 cache later on.
    /// </summary>
    public static byte[] Multiply(bool twoRows)
    {
        Assembler code = new(64);
        Label zero = code.CreateLabel("zero"), step = code.CreateLabel("step"), next = code.CreateLabel("next");
        code.mov(r10, rcx);
        code.shl(r10, 4);
        code.add(r10, rdx);
        code.test(r9, r9);
        code.je(zero);
        code.tileloadd(tmm0, __[rdx + rcx]);
        code.tileloadd(tmm1, __[rdx + rcx + 64]);
        if (twoRows)
        {
            code.tileloadd(tmm2, __[r10 + rcx]);
            code.tileloadd(tmm3, __[r10 + rcx + 64]);
        }
        code.jmp(next);
        code.Label(ref zero);
        code.tilezero(tmm0);
        code.tilezero(tmm1);
        if (twoRows)
        {
            code.tilezero(tmm2);
            code.tilezero(tmm3);
        }
        code.Label(ref next);
        code.mov(eax, 64);
        code.mov(r11, __qword_ptr[rsp + 8]);
        code.mov(r9, __qword_ptr[rsp + 16]);
        code.Label(ref step);
        FetchAhead(code, r11);
        code.add(r11, r9);
        code.tileloadd(tmm6, __[rsi + rax]);
        code.tileloadd(tmm4, __[rdi + rax]);
        Fetch(code, 0);
        code.tdpbf16ps(tmm0, tmm4, tmm6);
        code.tileloadd(tmm7, __[rsi + rax + TileBytes]);
        Fetch(code, 8);
        code.tdpbf16ps(tmm1, tmm4, tmm7);
        if (twoRows)
        {
            code.tileloadd(tmm5, __[rdi + rax + TileBytes]);
            Fetch(code, 16);
            code.tdpbf16ps(tmm2, tmm5, tmm6);
            Fetch(code, 24);
            code.tdpbf16ps(tmm3, tmm5, tmm7);
        }
        code.add(rdi, 2 * TileBytes);
        code.add(rsi, 2 * TileBytes);
        code.dec(r8);
        code.jne(step);
        code.tilestored(__[rdx + rcx], tmm0);
        code.tilestored(__[rdx + rcx + 64], tmm1);
        if (twoRows)
        {
            code.tilestored(__[r10 + rcx], tmm2);
            code.tilestored(__[r10 + rcx + 64], tmm3);
        }
        code.ret();
        return Bytes(code);
    }

    /// <summary>
    /// void Convert(from, to, steps, stride): steps times 32 floats, one after the other, to 32 bf16 (nearest even; subnormals become zero,
    /// as the products take them), each 64 bytes written stride bytes further.
    /// </summary>
    public static byte[] Convert()
    {
        Assembler code = new(64);
        Label step = code.CreateLabel("step");
        code.Label(ref step);
        code.vmovups(zmm0, __zmmword_ptr[rdi + 64]);
        code.vcvtne2ps2bf16(zmm0, zmm0, __zmmword_ptr[rdi]);
        code.vmovups(__zmmword_ptr[rsi], zmm0);
        code.add(rdi, 128);
        code.add(rsi, rcx);
        code.dec(rdx);
        code.jne(step);
        code.vzeroupper();
        code.ret();
        return Bytes(code);
    }

    /// <summary>
    /// void Interleave(from, to, pairs, stride, order): pairs of rows of 16 floats, stride bytes apart, to bf16 as <see cref="Convert"/> does;
    /// of each pair 64 bytes, elements of the first row in the even places. Order is 0, 16, 1, 17 … as 16-bit integers.
    /// </summary>
    public static byte[] Interleave()
    {
        Assembler code = new(64);
        Label pair = code.CreateLabel("pair");
        code.vmovdqu16(zmm1, __zmmword_ptr[r8]);
        code.Label(ref pair);
        code.vmovups(zmm0, __zmmword_ptr[rdi + rcx]);
        code.vcvtne2ps2bf16(zmm0, zmm0, __zmmword_ptr[rdi]);
        code.vpermw(zmm0, zmm1, zmm0);
        code.vmovups(__zmmword_ptr[rsi], zmm0);
        code.lea(rdi, __[rdi + rcx * 2]);
        code.add(rsi, 64);
        code.dec(rdx);
        code.jne(pair);
        code.vzeroupper();
        code.ret();
        return Bytes(code);
    }

    // Brings a quarter of the next step's tiles of b into the L1 cache: eight lines of 64 bytes.
    private static void Fetch(Assembler code, int line)
    {
        for (int i = line; i < line + 8; i++)
            code.prefetcht0(__[rsi + 2 * TileBytes + 64 * i]);
    }

    /// <summary>Brings 256 bytes, four lines, into the L2 cache.</summary>
    internal static void FetchAhead(Assembler code, AssemblerRegister64 at)
    {
        for (int line = 0; line < 4; line++)
            code.prefetcht1(__[at + 64 * line]);
    }

    /// <summary>The bytes of assembled code.</summary>
    internal static byte[] Bytes(Assembler code)
    {
        using MemoryStream stream = new();
        code.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }
}
