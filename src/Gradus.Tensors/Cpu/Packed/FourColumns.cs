// The one step of products on integers that instruction sets differ in: four weights of every lane, unsigned bytes, times four activations
// of 16 bits that all lanes share. It is two products of registers, each with a sum of its own:
//
//   pairs      weights of columns 0 and 2, then of 1 and 3, in 16 bits each, times such pairs of activations (PMADDWD)
//   bytes      the four weights times the activations' upper bytes, then their lower ones (VPDPBUSD, Arm's SDOT)
//   nibbles    the same, with sums of 16 bits for two columns each (PMADDUBSW); for weights of four bits only
//
// All of it is exact: 32 columns of 255 · 32,639 are below 2²⁹, and 16 columns of 15 · 128 below 2¹⁵.

namespace Gradus.Tensors.Cpu;

/// <summary>Products of four columns, on the lanes of one width.</summary>
internal unsafe interface IFourColumns<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>How activations must lie.</summary>
    static abstract ActivationForm Form { get; }

    /// <summary>Weights as the two products take them.</summary>
    static abstract void Split(T bytes, out T first, out T second);

    /// <summary>Adds both products to their sums.</summary>
    /// <param name="block">The first word of activations in its block.</param>
    /// <param name="first">One of <see cref="Split"/>'s.</param>
    /// <param name="second">The other.</param>
    /// <param name="firstSum">Integers.</param>
    /// <param name="secondSum">Integers.</param>
    static abstract void Add(byte* block, T first, T second, ref T firstSum, ref T secondSum);

    /// <summary>The whole sum from both, as integers.</summary>
    static abstract T Combine(T first, T second);

    /// <summary>Takes for every byte, 0 to 15, that byte of a table which is there four times.</summary>
    static abstract T Lookup(byte* table, T codes);
}
