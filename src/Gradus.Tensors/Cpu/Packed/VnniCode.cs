// The machine code of products with packed weights: .NET has no intrinsics for AVX512-VNNI. One kernel multiplies a panel of sixteen rows
// (PanelLayout) with one to eight rows of activations (ActivationBlocks). Sums over a part are integers, and so exact; each part then adds
// to sixteen float sums, in ascending order of the parts. So a row of activations gets the same bits whatever the others are.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2 (VPDPBUSD: unsigned times signed bytes, four at a time).
// Arguments come in rdi, rsi, rdx, rcx, r8 (System V); nothing that the callee must preserve is touched.

using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Gradus.Tensors.Cpu;

/// <summary>Assembles the kernel of one format and number of rows.</summary>
internal sealed class VnniCode
{
    /// <summary>The most rows of activations.</summary>
    public const int MaxRows = 8;

    private const int Register = 64;
    private const int PrefetchBytes = 4096;

    // zmm0–7 float sums; zmm8–15 and zmm16–23 sums over the upper and lower bytes of the activations.
    private static readonly AssemblerRegisterZMM[] Registers =
    [
        zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23,
    ];

    private static readonly AssemblerRegisterZMM Raw = zmm24, Weights = zmm25, Shifted = zmm26, Scale = zmm27, Upper = zmm28, Offset = zmm29, Second = zmm30, Low = zmm31;

    private readonly Assembler _code = new(64);
    private readonly BlockFormat _format;
    private readonly int _rows;
    private readonly int _headBytes;
    private readonly int _partBytes;
    private readonly int _parts;

    private VnniCode(BlockFormat format, int rows)
    {
        (_format, _rows) = (format, rows);
        _headBytes = PanelLayout.HeadBytes(format);
        _partBytes = PanelLayout.PartBytes(format);
        _parts = format.Weights() / PanelLayout.PartColumns;
    }

    private bool HasOffset => _format is BlockFormat.Q4_1 or BlockFormat.Q5_1 or BlockFormat.Q4_K or BlockFormat.Q5_K;

    private bool HasFifthBit => _format is BlockFormat.Q5_0 or BlockFormat.Q5_1 or BlockFormat.Q5_K;

    // Scales of a unit of 256 are worked out once, before its parts.
    private bool HasScalesOfUnit => _format.Weights() == BlockFormats.LargestBlock;

    /// <summary>
    /// void Multiply(panel, activations, sums, units, scratch): sums[m, r] = Σ weight[r, k]·activation[m, k] for <paramref name="rows"/> m and
    /// 16 r, over as many units as there are, at least one. Activations are in the form of bytes; scratch is of <see cref="ProductScratch"/>.
    /// </summary>
    public static byte[] Multiply(BlockFormat format, int rows) => new VnniCode(format, rows).Assemble();

    private byte[] Assemble()
    {
        Label unit = _code.CreateLabel("unit");
        Constants();
        for (int m = 0; m < _rows; m++)
            _code.vpxord(Sum(m), Sum(m), Sum(m));
        _code.Label(ref unit);
        if (HasScalesOfUnit)
            ScalesOfUnit();
        for (int part = 0; part < _parts; part++)
        {
            Prefetch(part);
            Part(part);
        }
        _code.add(rdi, PanelLayout.UnitBytes(_format));
        if (_format == BlockFormat.NF4Double)
            _code.add(r9, Register);
        _code.add(rsi, _parts * _rows * ActivationBlocks.Bytes);
        _code.dec(rcx);
        _code.jne(unit);
        for (int m = 0; m < _rows; m++)
            _code.vmovups(__zmmword_ptr[rdx + m * Register], Sum(m));
        _code.vzeroupper();
        _code.ret();
        using MemoryStream stream = new();
        _code.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    private static AssemblerRegisterZMM Sum(int m) => Registers[m];

    private static AssemblerRegisterZMM OfUpper(int m) => Registers[MaxRows + m];

    private static AssemblerRegisterZMM OfLower(int m) => Registers[2 * MaxRows + m];

    private void Constants()
    {
        Broadcast(Low, 0x0F0F0F0F);
        if (_format == BlockFormat.NF4Double)
            _code.mov(r9, __qword_ptr[r8 + ProductScratch.ScalesOffset]);
        if (HasFifthBit)
            Broadcast(Second, 0x10101010);
        else if (_format == BlockFormat.Q6_K)
            Broadcast(Second, 0x30303030);
        else if (_format == BlockFormat.IQ4_NL)
            _code.vmovdqu32(Second, __zmmword_ptr[r8 + ProductScratch.LevelsOffset]);
    }

    private void Broadcast(AssemblerRegisterZMM to, int bits)
    {
        _code.mov(eax, bits);
        _code.vpbroadcastd(to, eax);
    }

    // The scales of a unit of 256 go to the scratch memory, in floats: parts first, then their minima.
    private void ScalesOfUnit()
    {
        _code.vcvtph2ps(zmm8, __ymmword_ptr[rdi]);
        if (_format == BlockFormat.Q6_K)
        {
            for (int half = 0; half < 2 * _parts; half++)
            {
                _code.vpmovsxbd(zmm9, __xmmword_ptr[rdi + 32 + 16 * half]);
                _code.vcvtdq2ps(zmm9, zmm9);
                _code.vmulps(zmm9, zmm9, zmm8);
                _code.vmovups(__zmmword_ptr[r8 + half * Register], zmm9);
            }
            return;
        }
        _code.vcvtph2ps(zmm9, __ymmword_ptr[rdi + 32]);
        for (int word = 0; word < 3; word++)
            _code.vmovdqu32(Registers[10 + word], __zmmword_ptr[rdi + 64 + word * Register]);
        // Words 0 and 1 have six bits of the first four parts, and above them two upper bits of the last four; word 2 has the four lower.
        Broadcast(zmm13, 0x3F3F3F3F);
        Broadcast(zmm14, 0x30303030);
        Broadcast(zmm23, 255);
        _code.vpandd(zmm15, zmm10, zmm13);
        _code.vpandd(zmm16, zmm11, zmm13);
        _code.vpsrld(zmm10, zmm10, 2);
        _code.vpsrld(zmm11, zmm11, 2);
        _code.vpandd(zmm17, zmm12, Low);
        _code.vpternlogd(zmm17, zmm10, zmm14, OrAnd);
        _code.vpsrld(zmm12, zmm12, 4);
        _code.vpandd(zmm18, zmm12, Low);
        _code.vpternlogd(zmm18, zmm11, zmm14, OrAnd);
        for (int part = 0; part < _parts; part++)
        {
            ScaleOfPart(Registers[part < 4 ? 15 : 17], part, zmm8, part);
            ScaleOfPart(Registers[part < 4 ? 16 : 18], part, zmm9, _parts + part);
        }
    }

    private void ScaleOfPart(AssemblerRegisterZMM bytes, int part, AssemblerRegisterZMM factor, int to)
    {
        _code.vpsrld(zmm19, bytes, (byte)(part % 4 * 8));
        _code.vpandd(zmm19, zmm19, zmm23);
        _code.vcvtdq2ps(zmm19, zmm19);
        _code.vmulps(zmm19, zmm19, factor);
        _code.vmovups(__zmmword_ptr[r8 + to * Register], zmm19);
    }

    // A part's share of the lines, as there are fewer buffers for lines under way than lines in a unit of 256.
    private void Prefetch(int part)
    {
        int bytes = PanelLayout.UnitBytes(_format);
        for (int line = bytes * part / _parts / Register; line < (bytes * (part + 1) / _parts + Register - 1) / Register; line++)
            _code.prefetcht0(__[rdi + PrefetchBytes + line * Register]);
    }

    private void Part(int part)
    {
        int codes = _headBytes + part * _partBytes;
        if (_format == BlockFormat.Q6_K)
        {
            for (int half = 0; half < 2; half++)
            {
                _code.vmovdqu32(Upper, __zmmword_ptr[rdi + codes + half * 192]);
                Sums(part, codes + half * 192 + Register, 4 * half, 4, ActivationBlocks.StartOffset + half * sizeof(int));
                _code.vmovups(Scale, __zmmword_ptr[r8 + (2 * part + half) * Register]);
                AddSums(part);
            }
            return;
        }
        if (_format is BlockFormat.NF4 or BlockFormat.NF4Double)
        {
            // A level is an integer of 16 bits, of which the weights give the upper byte and then the lower one.
            for (int half = 0; half < 2; half++)
            {
                _code.vmovdqu32(Second, __zmmword_ptr[r8 + ProductScratch.LevelsOffset + half * Register]);
                Sums(part, codes, 0, 8, ActivationBlocks.StartOffset + half * sizeof(int));
                _code.vmovups(Scale, _format == BlockFormat.NF4 ? __zmmword_ptr[rdi] : __zmmword_ptr[r9]);
                _code.vmulps(Scale, Scale, __dword_bcst[r8 + ProductScratch.FactorsOffset + half * sizeof(float)]);
                AddSums(part);
            }
            return;
        }
        if (HasFifthBit)
            _code.vmovdqu32(Upper, __zmmword_ptr[rdi + codes]);
        Sums(part, HasFifthBit ? codes + Register : codes, 0, 8, ActivationBlocks.StartOffset);
        if (HasScalesOfUnit)
            _code.vmovups(Scale, __zmmword_ptr[r8 + part * Register]);
        else
            _code.vcvtph2ps(Scale, __ymmword_ptr[rdi]);
        AddSums(part);
        if (!HasOffset)
            return;
        if (HasScalesOfUnit)
            _code.vmovups(Offset, __zmmword_ptr[r8 + (_parts + part) * Register]);
        else
            _code.vcvtph2ps(Offset, __ymmword_ptr[rdi + 32]);
        for (int m = 0; m < _rows; m++)
        {
            if (HasScalesOfUnit)
                _code.vfnmadd231ps(Sum(m), Offset, __dword_bcst[rsi + At(part, m) + ActivationBlocks.SumOffset]);
            else
                _code.vfmadd231ps(Sum(m), Offset, __dword_bcst[rsi + At(part, m) + ActivationBlocks.SumOffset]);
        }
    }

    // Integer sums over some groups of four columns; those over the lower bytes start with what the weights' zero takes away.
    private void Sums(int part, int codes, int firstGroup, int groups, int start)
    {
        for (int m = 0; m < _rows; m++)
        {
            _code.vpxord(OfUpper(m), OfUpper(m), OfUpper(m));
            _code.vpbroadcastd(OfLower(m), __dword_ptr[rsi + At(part, m) + start]);
        }
        for (int group = 0; group < groups; group++)
        {
            Group(codes, group);
            for (int m = 0; m < _rows; m++)
            {
                int at = At(part, m) + 4 * (firstGroup + group);
                _code.vpdpbusd(OfUpper(m), Weights, __dword_bcst[rsi + at]);
                _code.vpdpbusd(OfLower(m), Weights, __dword_bcst[rsi + at + ActivationBlocks.SecondOffset]);
            }
        }
    }

    // The weights of four columns, a byte each.
    private void Group(int codes, int group)
    {
        if (_format == BlockFormat.Q8_0)
        {
            _code.vmovdqu32(Weights, __zmmword_ptr[rdi + codes + group * Register]);
            return;
        }
        if (group % 2 == 0)
        {
            _code.vmovdqu32(Raw, __zmmword_ptr[rdi + codes + group / 2 * Register]);
            _code.vpandd(Weights, Raw, Low);
        }
        else
        {
            _code.vpsrld(Weights, Raw, 4);
            _code.vpandd(Weights, Weights, Low);
        }
        if (_format is BlockFormat.IQ4_NL or BlockFormat.NF4 or BlockFormat.NF4Double)
            _code.vpshufb(Weights, Second, Weights);
        else if (HasFifthBit)
            OrUpper(4 - group);
        else if (_format == BlockFormat.Q6_K)
            OrUpper(4 - 2 * group);
    }

    private void OrUpper(int left)
    {
        if (left > 0)
            _code.vpslld(Shifted, Upper, (byte)left);
        else if (left < 0)
            _code.vpsrld(Shifted, Upper, (byte)-left);
        _code.vpternlogd(Weights, left == 0 ? Upper : Shifted, Second, OrAnd);
    }

    // a | (b & c).
    private const byte OrAnd = 0xF8;

    private void AddSums(int part)
    {
        for (int m = 0; m < _rows; m++)
        {
            _code.vpslld(OfUpper(m), OfUpper(m), 8);
            _code.vpaddd(OfLower(m), OfLower(m), OfUpper(m));
            _code.vcvtdq2ps(OfLower(m), OfLower(m));
            _code.vmulps(Shifted, Scale, __dword_bcst[rsi + At(part, m) + ActivationBlocks.ScaleOffset]);
            _code.vfmadd231ps(Sum(m), OfLower(m), Shifted);
        }
    }

    private int At(int part, int m) => (part * _rows + m) * ActivationBlocks.Bytes;
}
