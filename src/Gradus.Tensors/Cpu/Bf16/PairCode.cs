// The block product of AmxCode without tiles: VDPBF16PS, which takes pairs of bf16 in a 512-bit register, sixteen sums at a time. It reads the
// same panels. AMD's Zen 4 and later do twice as much with it as with fp32 products; Intel's processors that have AMX do less.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2 (VDPBF16PS).

using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Gradus.Tensors.Cpu;

/// <summary>Assembles the kernel for AVX512-BF16, as bytes.</summary>
internal static class PairCode
{
    private const int GroupRows = 8;
    private const int Pairs = 16;
    private const int LineBytes = 64;
    private const int TileBytes = 1024;

    private static readonly AssemblerRegisterZMM[] Sums =
        [zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15];

    /// <summary>
    /// void Multiply(a, b, c, strideC, steps, load, ahead, aheadStride), as <see cref="AmxCode.Multiply"/>: eight rows at a time, their sums in
    /// registers. Each eight rows ask for the same memory ahead.
    /// </summary>
    public static byte[] Multiply(bool twoRows)
    {
        Assembler code = new(64);
        Label group = code.CreateLabel("group"), zero = code.CreateLabel("zero"), begin = code.CreateLabel("begin"), step = code.CreateLabel("step");
        code.push(rbx);
        code.push(rbp);
        code.push(r12);
        code.mov(ebx, twoRows ? 4 : 2);
        code.Label(ref group);
        code.test(r9, r9);
        code.je(zero);
        EachRow(code, row =>
        {
            code.vmovups(Sums[2 * row], __zmmword_ptr[r10]);
            code.vmovups(Sums[2 * row + 1], __zmmword_ptr[r10 + LineBytes]);
        });
        code.jmp(begin);
        code.Label(ref zero);
        foreach (AssemblerRegisterZMM sum in Sums)
            code.vpxord(sum, sum, sum);
        code.Label(ref begin);
        code.mov(rax, rdi);
        code.mov(r11, rsi);
        code.mov(rbp, r8);
        code.mov(r12, __qword_ptr[rsp + 32]);
        code.Label(ref step);
        AmxCode.FetchAhead(code, r12);
        code.add(r12, __qword_ptr[rsp + 40]);
        for (int pair = 0; pair < Pairs; pair++)
        {
            code.vmovups(zmm16, __zmmword_ptr[r11 + (pair * LineBytes)]);
            code.vmovups(zmm17, __zmmword_ptr[r11 + (pair * LineBytes) + TileBytes]);
            for (int row = 0; row < GroupRows; row++)
            {
                code.vbroadcastss(zmm18, __dword_ptr[rax + (row * LineBytes) + (pair * sizeof(int))]);
                code.vdpbf16ps(Sums[2 * row], zmm18, zmm16);
                code.vdpbf16ps(Sums[2 * row + 1], zmm18, zmm17);
            }
        }
        code.add(rax, 2 * TileBytes);
        code.add(r11, 2 * TileBytes);
        code.dec(rbp);
        code.jne(step);
        EachRow(code, row =>
        {
            code.vmovups(__zmmword_ptr[r10], Sums[2 * row]);
            code.vmovups(__zmmword_ptr[r10 + LineBytes], Sums[2 * row + 1]);
        });
        code.mov(rdx, r10);
        code.add(rdi, GroupRows * LineBytes);
        code.dec(ebx);
        code.jne(group);
        code.pop(r12);
        code.pop(rbp);
        code.pop(rbx);
        code.vzeroupper();
        code.ret();
        return AmxCode.Bytes(code);
    }

    // r10 goes from row to row of C, and stands behind the last one in the end.
    private static void EachRow(Assembler code, Action<int> emit)
    {
        code.mov(r10, rdx);
        for (int row = 0; row < GroupRows; row++)
        {
            emit(row);
            code.add(r10, rcx);
        }
    }
}
