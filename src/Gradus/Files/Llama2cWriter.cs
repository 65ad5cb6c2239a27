using System.Runtime.InteropServices;
using Gradus.Models;

namespace Gradus.Files;

/// <summary>
/// Writes a Llama in the legacy layout of llama2.c: seven int32 sizes, then float32 weights kind by kind, then the cosines and sines of the
/// rotation. Source: https://github.com/karpathy/llama2.c (export.py, legacy export; run.c). Rows of q and k go from Hugging Face's
/// halves to llama2.c's pairs, the inverse of <see cref="Llama2cFile"/>.
/// </summary>
public static class Llama2cWriter
{
    private static readonly string[] Layered =
    [
        "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
        "post_attention_layernorm", "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj",
    ];

    /// <summary>Writes a file, tensor by tensor.</summary>
    /// <param name="stream">Where to; stays open.</param>
    /// <param name="config">The hyperparameters.</param>
    /// <param name="tensors">The tensors under transformers' names.</param>
    /// <exception cref="NotSupportedException">llama2.c computes something else than the configuration says; the message names it.</exception>
    /// <exception cref="InvalidDataException">A tensor is missing.</exception>
    public static void Write(Stream stream, ModelConfig config, TensorFile tensors)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tensors);
        LlamaConfig llama = config as LlamaConfig ?? throw new NotSupportedException($"llama2.c runs Llama only, not {config.Architecture}");
        if (Problem(llama) is { } problem)
            throw new NotSupportedException($"llama2.c has no place for {problem}");
        int headSize = llama.HiddenSize / llama.NumAttentionHeads;
        int[] sizes =
        [
            llama.HiddenSize, llama.IntermediateSize, llama.NumHiddenLayers, llama.NumAttentionHeads, llama.NumKeyValueHeads ?? llama.NumAttentionHeads,
            llama.TieWordEmbeddings ? llama.VocabSize : -llama.VocabSize, llama.MaxPositionEmbeddings,
        ];
        stream.Write(MemoryMarshal.AsBytes<int>(sizes));
        Copy(stream, tensors, "model.embed_tokens");
        foreach (string name in Layered)
        {
            for (int layer = 0; layer < llama.NumHiddenLayers; layer++)
                Copy(stream, tensors, $"model.layers.{layer}.{name}", name is "self_attn.q_proj" or "self_attn.k_proj" ? headSize : 0);
        }
        Copy(stream, tensors, "model.norm");
        WriteRotation(stream, llama, headSize);
        if (!llama.TieWordEmbeddings)
            Copy(stream, tensors, "lm_head");
    }

    // What run.c has as constants, or not at all.
    private static string? Problem(LlamaConfig c) =>
        c.AttentionBias || c.MlpBias ? "biases"
        : c.HiddenAct != "silu" ? $"the activation {c.HiddenAct}"
        : c.RopeTheta != 10000 || c.RopeScaling is not null ? "another rotation than that of base 10000"
        : Math.Abs(c.RmsNormEps - 1e-5f) > 1e-9f ? $"rms_norm_eps {c.RmsNormEps}"
        : c.HeadDim is { } width && width * c.NumAttentionHeads != c.HiddenSize ? $"heads of {width} values, which are not hidden_size / num_attention_heads"
        : null;

    private static void Copy(Stream stream, TensorFile tensors, string name, int pairsOf = 0)
    {
        TensorEntry entry = tensors[$"{name}.weight"];
        int columns = entry.Shape.Columns, half = pairsOf / 2;
        // A row at a time, or of a vector all; blocks of packed formats never cross rows.
        float[] row = new float[columns];
        for (long r = 0; r < entry.Shape.Rows; r++)
        {
            long within = pairsOf == 0 ? 0 : r % pairsOf, from = pairsOf == 0 ? r : r - within + (within % 2 * half) + (within / 2);
            tensors.Read(entry, from * columns, row);
            stream.Write(MemoryMarshal.AsBytes<float>(row));
        }
    }

    // run.c computes them itself; the layout has a place for them.
    private static void WriteRotation(Stream stream, LlamaConfig llama, int headSize)
    {
        float[] values = new float[headSize / 2];
        foreach (Func<double, double> part in (Func<double, double>[])[Math.Cos, Math.Sin])
        {
            for (int position = 0; position < llama.MaxPositionEmbeddings; position++)
            {
                for (int i = 0; i < values.Length; i++)
                    values[i] = (float)part(position * Math.Pow(10000, -2.0 * i / headSize));
                stream.Write(MemoryMarshal.AsBytes<float>(values));
            }
        }
    }
}
