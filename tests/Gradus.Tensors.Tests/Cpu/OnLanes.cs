using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>A check written over lanes.</summary>
internal interface ILaneCheck
{
    void Run<T>()
        where T : unmanaged, ILanes<T>;
}

/// <summary>Runs a check on the lanes of an instruction set.</summary>
internal static class OnLanes
{
    /// <summary>The instruction sets of this machine that have lanes of their own.</summary>
    public static TheoryData<string> Names => [.. CpuFeatures.Available.Where(isa => isa <= Isa.Avx512).Select(isa => isa.ToString())];

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Run<TCheck>(string isa, TCheck check)
        where TCheck : ILaneCheck
    {
        switch (Enum.Parse<Isa>(isa))
        {
            case Isa.Scalar:
                check.Run<Lanes1>();
                break;
            case Isa.Vector128:
                check.Run<Lanes4>();
                break;
            case Isa.Avx2:
                check.Run<Lanes8>();
                break;
            default:
                check.Run<Lanes16>();
                break;
        }
    }
}
