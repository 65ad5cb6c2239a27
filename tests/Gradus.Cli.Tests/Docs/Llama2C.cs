using System.Text;
using Gradus.Tensors;

namespace Gradus.Cli.Tests.Docs;

/// <summary>A model of llama2.c's legacy format with random weights, and its tokenizer. Source: https://github.com/karpathy/llama2.c, export.py and tokenizer.py.</summary>
internal static class Llama2C
{
    private const int Width = 32, Hidden = 48, Layers = 2, Heads = 4, Vocabulary = 512, Context = 128;

    /// <summary>Seven integers, then all weights.</summary>
    public static byte[] Model()
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        foreach (int size in (ReadOnlySpan<int>)[Width, Hidden, Layers, Heads, Heads, Vocabulary, Context])
            writer.Write(size);
        int count = (Vocabulary * Width) + (Layers * ((2 * Width) + (4 * Width * Width) + (3 * Width * Hidden))) + Width + (Context * (Width / Heads));
        ulong key = CounterRandom.Derive(7, "llama2.c");
        for (int i = 0; i < count; i++)
            writer.Write((float)CounterRandom.Uniform(key, i) - 0.5f);
        return stream.ToArray();
    }

    /// <summary>The length of the longest token, then a score, a length and the bytes of each.</summary>
    public static byte[] Tokenizer()
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        writer.Write(8);
        for (int id = 0; id < Vocabulary; id++)
        {
            byte[] token = Encoding.UTF8.GetBytes(id switch
            {
                0 => "<unk>",
                1 => "\n<s>\n",
                2 => "\n</s>\n",
                < 259 => $"<0x{id - 3:X2}>",
                _ => $"{(char)('a' + ((id - 259) % 26))}{((id - 259) / 26 == 0 ? "" : (char)('a' + ((id - 259) / 26)))}",
            });
            writer.Write((float)-id);
            writer.Write(token.Length);
            writer.Write(token);
        }
        return stream.ToArray();
    }
}
