using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Gradus.Tensors.Cpu;

/// <summary>The ways of multiplying packed weights on integers. All give the same bits.</summary>
internal enum IntegerKernel
{
    /// <summary>One lane (<see cref="Pairs1"/>).</summary>
    Scalar,

    /// <summary>Four lanes (<see cref="Pairs4"/>).</summary>
    Vector128,

    /// <summary>Four lanes (<see cref="Bytes4"/>).</summary>
    ArmDot,

    /// <summary>Eight lanes (<see cref="Pairs8"/>).</summary>
    Avx2,

    /// <summary>Eight lanes (<see cref="Bytes8"/>).</summary>
    AvxVnni,

    /// <summary>Sixteen lanes (<see cref="Pairs16"/>).</summary>
    Avx512,

    /// <summary>Assembled for AVX512-VNNI (<see cref="VnniCode"/>).</summary>
    Vnni,
}

/// <summary>The kernels of each <see cref="IntegerKernel"/>.</summary>
internal static unsafe class IntegerKernels
{
    /// <summary>The best for an instruction set on this machine.</summary>
    public static IntegerKernel Of(Isa isa) => isa switch
    {
        Isa.Scalar => IntegerKernel.Scalar,
        Isa.Vector128 => Dp.IsSupported ? IntegerKernel.ArmDot : IntegerKernel.Vector128,
        Isa.Avx2 => AvxVnni.IsSupported ? IntegerKernel.AvxVnni : IntegerKernel.Avx2,
        _ => VnniKernels.WhyNot is null ? IntegerKernel.Vnni : IntegerKernel.Avx512,
    };

    /// <summary>The instructions that a kernel multiplies with, for people.</summary>
    public static string Instructions(IntegerKernel kernel) => kernel switch
    {
        IntegerKernel.Vnni => "AVX512-VNNI",
        IntegerKernel.Avx512 => "AVX-512",
        IntegerKernel.AvxVnni => "AVX-VNNI",
        IntegerKernel.Avx2 => "AVX2",
        IntegerKernel.ArmDot => "Arm's dot product",
        IntegerKernel.Vector128 => Ssse3.IsSupported ? "SSSE3" : AdvSimd.Arm64.IsSupported ? "AdvSimd" : "128-bit vectors",
        _ => "scalar",
    };

    /// <summary>The form of activations that a kernel takes.</summary>
    public static ActivationForm Form(IntegerKernel kernel, BlockFormat format) => kernel switch
    {
        IntegerKernel.Vnni => ActivationForm.Bytes,
        IntegerKernel.AvxVnni => Bytes8.Form,
        IntegerKernel.ArmDot => Bytes4.Form,
        IntegerKernel.Scalar => Pairs1.Form,
        IntegerKernel.Vector128 when !Ssse3.IsSupported => Pairs4.Form,
        _ => format is BlockFormat.Q4_0 or BlockFormat.Q4_1 or BlockFormat.Q4_K ? Nibbles8.Form : Pairs8.Form,
    };

    /// <summary>Multiplies a panel with one to eight rows of activations; see <see cref="VnniCode.Multiply"/>.</summary>
    public static void Multiply(IntegerKernel kernel, BlockFormat format, byte* panel, byte* activations, int rows, float* sums, nint units, byte* scratch)
    {
        if (kernel == IntegerKernel.Vnni)
        {
            VnniKernels.Get(format, rows)(panel, activations, sums, units, scratch);
            return;
        }
        // Four rows at once or twice, then two, then one; the panel is in the cache after the first.
        nint stride = rows * ActivationBlocks.Bytes;
        float** scales = (float**)(scratch + ProductScratch.ScalesOffset);
        float* first = *scales;
        for (int row = 0; row < rows;)
        {
            *scales = first;
            int left = rows - row, height = left >= 4 ? 4 : left >= 2 ? 2 : 1, count = left / height * height;
            OnLanes(kernel, format, height)(panel, activations + row * ActivationBlocks.Bytes, count, stride, sums + row * PanelLayout.Rows, units, scratch);
            row += count;
        }
    }

    private static delegate*<byte*, byte*, int, nint, float*, nint, byte*, void> OnLanes(IntegerKernel kernel, BlockFormat format, int height) => kernel switch
    {
        IntegerKernel.Scalar => OfHeight<Lanes1, Pairs1, Pairs1>(format, height),
        IntegerKernel.Vector128 => Ssse3.IsSupported ? OfHeight<Lanes4, Pairs4, Nibbles4>(format, height) : OfHeight<Lanes4, Pairs4, Pairs4>(format, height),
        IntegerKernel.ArmDot => OfHeight<Lanes4, Bytes4, Bytes4>(format, height),
        IntegerKernel.Avx2 => OfHeight<Lanes8, Pairs8, Nibbles8>(format, height),
        IntegerKernel.AvxVnni => OfHeight<Lanes8, Bytes8, Bytes8>(format, height),
        IntegerKernel.Avx512 => OfHeight<Lanes16, Pairs16, Nibbles16>(format, height),
        _ => throw new ArgumentOutOfRangeException(nameof(kernel), kernel, "not a kernel on lanes"),
    };

    private static delegate*<byte*, byte*, int, nint, float*, nint, byte*, void> OfHeight<T, TColumns, TNibbles>(BlockFormat format, int height)
        where T : unmanaged, ILanes<T>
        where TColumns : struct, IFourColumns<T>
        where TNibbles : struct, IFourColumns<T> => height switch
        {
            4 => OfFormat<T, TColumns, TNibbles, Height4>(format),
            2 => OfFormat<T, TColumns, TNibbles, Height2>(format),
            _ => OfFormat<T, TColumns, TNibbles, Height1>(format),
        };

    private static delegate*<byte*, byte*, int, nint, float*, nint, byte*, void> OfFormat<T, TColumns, TNibbles, THeight>(BlockFormat format)
        where T : unmanaged, ILanes<T>
        where TColumns : struct, IFourColumns<T>
        where TNibbles : struct, IFourColumns<T>
        where THeight : struct, ITileHeight => format switch
        {
            BlockFormat.Q8_0 => &PanelProduct<T, TColumns, PanelFormats.Q8_0, THeight>.Multiply,
            BlockFormat.Q4_0 => &PanelProduct<T, TNibbles, PanelFormats.Q4_0, THeight>.Multiply,
            BlockFormat.Q4_1 => &PanelProduct<T, TNibbles, PanelFormats.Q4_1, THeight>.Multiply,
            BlockFormat.Q5_0 => &PanelProduct<T, TColumns, PanelFormats.Q5_0, THeight>.Multiply,
            BlockFormat.Q5_1 => &PanelProduct<T, TColumns, PanelFormats.Q5_1, THeight>.Multiply,
            BlockFormat.Q4_K => &PanelProduct<T, TNibbles, PanelFormats.Q4_K, THeight>.Multiply,
            BlockFormat.Q5_K => &PanelProduct<T, TColumns, PanelFormats.Q5_K, THeight>.Multiply,
            BlockFormat.Q6_K => &PanelProduct<T, TColumns, PanelFormats.Q6_K, THeight>.Multiply,
            BlockFormat.IQ4_NL => &PanelProduct<T, TColumns, PanelFormats.IQ4_NL, THeight>.Multiply,
            BlockFormat.NF4 => &PanelProduct<T, TColumns, PanelFormats.NF4, THeight>.Multiply,
            BlockFormat.NF4Double => &PanelProduct<T, TColumns, PanelFormats.NF4Double, THeight>.Multiply,
            _ => throw new ArgumentOutOfRangeException(nameof(format), format, "not a format with panels"),
        };
}
