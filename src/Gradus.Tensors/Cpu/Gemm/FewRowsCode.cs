// The machine code of products with few rows and a dense B, in two ways. Where B's rows are columns of C, as in most linear layers, sixteen
// of them are transposed in registers, sixteen elements at a time; where B's rows are k, they are read as they lie. A lane is a column of C
// both times, and a sum stays a chain over ascending k. It is assembled because weights and sums fill all thirty-two registers.
// Arguments come in rdi, rsi, rdx, rcx, r8 (System V); nothing that the callee must preserve is touched.

using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Gradus.Tensors.Cpu;

/// <summary>Assembles the kernel of one number of rows and one type of B.</summary>
internal sealed class FewRowsCode
{
    /// <summary>The most rows.</summary>
    public const int MaxRows = 8;

    /// <summary>Columns of C that a call computes.</summary>
    public const int Columns = 16;

    private const int Register = 64;
    private const int PrefetchBytes = 1024;
    private const int PrefetchRowsLog2 = 5;
    private const int MaxSums = 24;
    private const int MaxWidth = 16;

    private static readonly AssemblerRegisterZMM[] All =
    [
        zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24,
    ];

    private static readonly AssemblerRegisterZMM Upper = zmm25;

    private readonly Assembler _code = new(64);
    private readonly AssemblerRegisterZMM[] _block = All[..Columns];
    private AssemblerRegisterZMM _free = All[Columns + MaxRows];

    /// <summary>Registers of neighbouring columns of C that a call of <see cref="MultiplyRows"/> may compute.</summary>
    public static int WidthFor(int rows) => Math.Min(MaxWidth, MaxSums / rows);

    /// <summary>k that one step goes on: the elements of 64 bytes.</summary>
    public static int StepK(bool bf16) => bf16 ? 32 : 16;

    /// <summary>
    /// void Multiply(b, x, steps, stride, sums): sums[m, n] += Σ x[k, m]·b[n, k] for <paramref name="rows"/> m and 16 n, over steps of 64 bytes
    /// of k, at least one. Stride is the distance of b's rows in bytes; x lies as (k, rows), sums as (rows, 16).
    /// </summary>
    public static byte[] Multiply(int rows, bool bf16) => new FewRowsCode().Assemble(rows, bf16);

    /// <summary>
    /// void MultiplyRows(b, x, steps, stride, sums): sums[m, n] += Σ x[k, m]·b[k, n] for <paramref name="rows"/> m and 16 · width n, over as many
    /// k as there are steps, at least one. Stride is the distance of b's rows in bytes; x lies as (k, rows), sums as (rows, 16 · width).
    /// </summary>
    public static byte[] MultiplyRows(int rows, int width, bool bf16) => new FewRowsCode().AssembleRows(rows, width, bf16);

    private byte[] AssembleRows(int rows, int width, bool bf16)
    {
        int bytes = width * Columns * (bf16 ? sizeof(ushort) : sizeof(float));
        AssemblerRegisterZMM weights = zmm31;
        Label step = _code.CreateLabel("step");
        _code.mov(rax, rcx);
        _code.shl(rax, PrefetchRowsLog2);
        for (int i = 0; i < rows * width; i++)
            _code.vmovups(All[i], __zmmword_ptr[r8 + i * Register]);
        _code.Label(ref step);
        // Prefetches never fault, so those beyond B's end do no harm; rows may begin inside a line.
        for (int line = 0; line <= bytes; line += Register)
            _code.prefetcht1(__[rdi + rax + Math.Min(line, bytes - 1)]);
        for (int i = 0; i < width; i++)
        {
            if (bf16)
            {
                _code.vpmovzxwd(weights, __ymmword_ptr[rdi + i * Register / 2]);
                _code.vpslld(weights, weights, 16);
            }
            else
            {
                _code.vmovups(weights, __zmmword_ptr[rdi + i * Register]);
            }
            for (int m = 0; m < rows; m++)
                _code.vfmadd231ps(All[m * width + i], weights, __dword_bcst[rsi + m * sizeof(float)]);
        }
        _code.add(rdi, rcx);
        _code.add(rsi, rows * sizeof(float));
        _code.dec(rdx);
        _code.jne(step);
        for (int i = 0; i < rows * width; i++)
            _code.vmovups(__zmmword_ptr[r8 + i * Register], All[i]);
        return End();
    }

    private byte[] Assemble(int rows, bool bf16)
    {
        Label step = _code.CreateLabel("step");
        _code.lea(rax, __[rcx + rcx * 2]);
        _code.lea(r9, __[rdi + rcx * 4]);
        _code.lea(r10, __[rdi + rcx * 8]);
        _code.lea(r11, __[r9 + rcx * 8]);
        for (int m = 0; m < rows; m++)
            _code.vmovups(Sum(m), __zmmword_ptr[r8 + m * Register]);
        if (bf16)
        {
            _code.push(rax);
            _code.mov(eax, unchecked((int)0xFFFF0000));
            _code.vpbroadcastd(Upper, eax);
            _code.pop(rax);
        }
        _code.Label(ref step);
        Load();
        Transpose();
        for (int i = 0; i < Columns; i++)
            Add(rows, bf16, i);
        foreach (AssemblerRegister64 pointer in (AssemblerRegister64[])[rdi, r9, r10, r11])
            _code.add(pointer, Register);
        _code.add(rsi, StepK(bf16) * rows * sizeof(float));
        _code.dec(rdx);
        _code.jne(step);
        for (int m = 0; m < rows; m++)
            _code.vmovups(__zmmword_ptr[r8 + m * Register], Sum(m));
        return End();
    }

    private byte[] End()
    {
        _code.vzeroupper();
        _code.ret();
        using MemoryStream stream = new();
        _code.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    private static AssemblerRegisterZMM Sum(int m) => All[Columns + m];

    // Rows at a distance of 4 KB would push each other out of the L1 cache, so what comes next goes to L2 only.
    private void Load()
    {
        AssemblerRegister64[] pointers = [rdi, r9, r10, r11];
        for (int row = 0; row < Columns; row++)
        {
            AssemblerRegister64 pointer = pointers[row / 4];
            AssemblerMemoryOperand at = (row % 4) switch { 0 => __[pointer], 1 => __[pointer + rcx], 2 => __[pointer + rcx * 2], _ => __[pointer + rax] };
            _code.prefetcht1(at + PrefetchBytes);
            _code.vmovups(_block[row], Zmm(at));
        }
    }

    private static AssemblerMemoryOperand Zmm(AssemblerMemoryOperand at) => __zmmword_ptr[at];

    // Pairs of elements, of pairs, then of 128-bit pieces. Register i ends as element i of all rows.
    private void Transpose()
    {
        for (int i = 0; i < Columns; i += 2)
            Pair(i, i + 1, (to, a, b) => _code.vunpcklps(to, a, b), (to, a, b) => _code.vunpckhps(to, a, b));
        for (int i = 0; i < Columns; i += 4)
        {
            Pair(i, i + 2, (to, a, b) => _code.vunpcklpd(to, a, b), (to, a, b) => _code.vunpckhpd(to, a, b));
            Pair(i + 1, i + 3, (to, a, b) => _code.vunpcklpd(to, a, b), (to, a, b) => _code.vunpckhpd(to, a, b));
            (_block[i + 1], _block[i + 2]) = (_block[i + 2], _block[i + 1]);
        }
        foreach ((int distance, int group) in ((int, int)[])[(4, 8), (8, 16)])
        {
            for (int first = 0; first < Columns; first += group)
            {
                for (int i = first; i < first + distance; i++)
                    Pair(i, i + distance, (to, a, b) => _code.vshuff32x4(to, a, b, 0x88), (to, a, b) => _code.vshuff32x4(to, a, b, 0xDD));
            }
        }
    }

    private void Pair(int a, int b, Action<AssemblerRegisterZMM, AssemblerRegisterZMM, AssemblerRegisterZMM> low, Action<AssemblerRegisterZMM, AssemblerRegisterZMM, AssemblerRegisterZMM> high)
    {
        low(_free, _block[a], _block[b]);
        high(_block[b], _block[a], _block[b]);
        (_block[a], _free) = (_free, _block[a]);
    }

    private void Add(int rows, bool bf16, int element)
    {
        if (!bf16)
        {
            for (int m = 0; m < rows; m++)
                _code.vfmadd231ps(Sum(m), _block[element], __dword_bcst[rsi + (element * rows + m) * sizeof(float)]);
            return;
        }
        // Two neighbours of 16 bits, the first one low.
        _code.vpslld(_free, _block[element], 16);
        for (int m = 0; m < rows; m++)
            _code.vfmadd231ps(Sum(m), _free, __dword_bcst[rsi + (2 * element * rows + m) * sizeof(float)]);
        _code.vpandd(_block[element], _block[element], Upper);
        for (int m = 0; m < rows; m++)
            _code.vfmadd231ps(Sum(m), _block[element], __dword_bcst[rsi + ((2 * element + 1) * rows + m) * sizeof(float)]);
    }
}
