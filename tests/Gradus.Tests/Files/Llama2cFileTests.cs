using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Testing;

namespace Gradus.Tests.Files;

public sealed class Llama2cFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [SharedFact("data", "stories260k-weights")]
    public void RealWeightsGiveTheExpectedGreedyIdsInHuggingFaceOrder()
    {
        using TensorFile opened = TensorFile.Open(SharedFolder.Find("data", "stories260k-weights", "stories260K.bin")!);
        Llama2cFile file = Assert.IsType<Llama2cFile>(opened);
        Assert.Equal("llama", (string)file.Config["model_type"]!);
        Assert.Equal(4, (int)file.Config["num_key_value_heads"]!);
        Assert.True((bool)file.Config["tie_word_embeddings"]!);
        Assert.Equal((5 * 9) + 2, file.Entries.Count);
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllText(SharedFolder.Find("data", "stories260k-weights", "greedy-expected.json")!));
        int[] ids = [.. expected.RootElement.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32())];
        SmallLlama model = new(file, file.Config);
        int token = expected.RootElement.GetProperty("bos_id").GetInt32();
        List<int> generated = [];
        for (int position = 0; position < ids.Length; position++)
            generated.Add(token = model.Next(token, position));
        Assert.Equal(ids, generated);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void PermutesRowsAndReadsTheClassifier(bool shared)
    {
        byte[] bytes = Sample(shared);
        using Llama2cFile file = Llama2cFile.Open(_folder.Write("m.bin", bytes));
        // dim 8, 2 heads of 4, 1 kv head: pairs (0,1) (2,3) become halves (0,2) (1,3).
        float[] q = new float[64];
        file.Read(file["model.layers.0.self_attn.q_proj.weight"], q);
        float first = q[0];
        Assert.Equal([0, 2, 1, 3, 4, 6, 5, 7], Enumerable.Range(0, 8).Select(r => (int)(q[r * 8] - first) / 8));
        float[] v = new float[32];
        file.Read(file["model.layers.0.self_attn.v_proj.weight"], v);
        Assert.Equal([0, 1, 2, 3], Enumerable.Range(0, 4).Select(r => (int)(v[r * 8] - v[0]) / 8));
        Assert.Equal(!shared, file.TryGet("lm_head.weight", out TensorEntry? head));
        if (head is not null)
        {
            float[] values = new float[24];
            file.Read(head, values);
            Assert.Equal((bytes.Length - 28) / 4 - 1, values[^1]);
        }
    }

    [Fact]
    public void RefusesEveryTruncation() => HostileFiles.EveryTruncation(Sample(true), _folder, "m.bin", path => Llama2cFile.Open(path).Dispose());

    [Fact]
    public void SurvivesMutations() => HostileFiles.Fuzz(Sample(true), 1500, _folder, "m.bin", path =>
    {
        using Llama2cFile file = Llama2cFile.Open(path);
        foreach (TensorEntry entry in file.Entries)
            file.Read(entry, new float[entry.Shape.Count]);
    });

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, -8)]
    [InlineData(0, int.MaxValue)]
    [InlineData(2, int.MaxValue)]
    [InlineData(3, 3)]
    [InlineData(3, 8)]
    [InlineData(5, int.MinValue)]
    [InlineData(4, 4)]
    public void RefusesAbsurdSizes(int field, int value)
    {
        byte[] bytes = Sample(true);
        MemoryMarshal.Cast<byte, int>(bytes.AsSpan())[field] = value;
        string path = _folder.Write("m.bin", bytes);
        HostileFiles.AssertOneLine(Assert.Throws<InvalidDataException>(() => Llama2cFile.Open(path)), path);
    }

    /// <summary>dim 8, hidden 6, 1 layer, 2 heads, 1 kv head, vocabulary 3, context 5; every value is its place in the file.</summary>
    private static byte[] Sample(bool shared)
    {
        int values = 24 + 8 + 64 + 32 + 32 + 64 + 8 + 48 + 48 + 48 + 8 + 20 + (shared ? 0 : 24);
        int[] sizes = [8, 6, 1, 2, 1, shared ? 3 : -3, 5];
        float[] weights = [.. Enumerable.Range(0, values).Select(i => (float)i)];
        return [.. MemoryMarshal.AsBytes(sizes.AsSpan()), .. MemoryMarshal.AsBytes(weights.AsSpan())];
    }

    /// <summary>The Hugging Face Llama in double precision, as plainly as it can be written: rotary halves, grouped queries.</summary>
    private sealed class SmallLlama(TensorFile file, JsonObject config)
    {
        private readonly int _dim = (int)config["hidden_size"]!, _heads = (int)config["num_attention_heads"]!;
        private readonly int _kvHeads = (int)config["num_key_value_heads"]!, _head = (int)config["head_dim"]!;
        private readonly int _layers = (int)config["num_hidden_layers"]!, _vocab = (int)config["vocab_size"]!;
        private readonly double _theta = (double)config["rope_theta"]!, _epsilon = (double)config["rms_norm_eps"]!;
        private readonly Dictionary<string, float[]> _weights = file.Entries.ToDictionary(e => e.Name, e =>
        {
            float[] values = new float[e.Shape.Count];
            file.Read(e, values);
            return values;
        });

        private readonly Dictionary<int, List<(double[] K, double[] V)>> _cache = [];

        public int Next(int token, int position)
        {
            float[] embedding = _weights["model.embed_tokens.weight"];
            double[] x = [.. embedding.Skip(token * _dim).Take(_dim).Select(v => (double)v)];
            for (int layer = 0; layer < _layers; layer++)
            {
                string p = $"model.layers.{layer}.";
                double[] h = Norm(x, $"{p}input_layernorm.weight");
                double[] q = Linear(h, $"{p}self_attn.q_proj.weight"), k = Linear(h, $"{p}self_attn.k_proj.weight");
                Rotate(q, position);
                Rotate(k, position);
                if (!_cache.TryGetValue(layer, out List<(double[] K, double[] V)>? past))
                    _cache[layer] = past = [];
                past.Add((k, Linear(h, $"{p}self_attn.v_proj.weight")));
                x = Add(x, Linear(Attend(q, past), $"{p}self_attn.o_proj.weight"));
                h = Norm(x, $"{p}post_attention_layernorm.weight");
                double[] gate = Linear(h, $"{p}mlp.gate_proj.weight"), up = Linear(h, $"{p}mlp.up_proj.weight");
                x = Add(x, Linear([.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)], $"{p}mlp.down_proj.weight"));
            }
            double[] logits = Linear(Norm(x, "model.norm.weight"), "model.embed_tokens.weight");
            Assert.Equal(_vocab, logits.Length);
            return Array.IndexOf(logits, logits.Max());
        }

        private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

        private double[] Linear(double[] x, string name)
        {
            float[] w = _weights[name];
            double[] y = new double[w.Length / x.Length];
            for (int row = 0; row < y.Length; row++)
            {
                for (int i = 0; i < x.Length; i++)
                    y[row] += w[(row * x.Length) + i] * x[i];
            }
            return y;
        }

        private double[] Norm(double[] x, string name)
        {
            double scale = 1 / Math.Sqrt(x.Average(v => v * v) + _epsilon);
            return [.. x.Zip(_weights[name], (v, w) => v * scale * w)];
        }

        private void Rotate(double[] x, int position)
        {
            int half = _head / 2;
            for (int head = 0; head < x.Length; head += _head)
            {
                for (int i = 0; i < half; i++)
                {
                    (double sin, double cos) = Math.SinCos(position * Math.Pow(_theta, -2.0 * i / _head));
                    (double a, double b) = (x[head + i], x[head + i + half]);
                    (x[head + i], x[head + i + half]) = ((a * cos) - (b * sin), (b * cos) + (a * sin));
                }
            }
        }

        private double[] Attend(double[] q, List<(double[] K, double[] V)> past)
        {
            double[] y = new double[q.Length];
            for (int head = 0; head < _heads; head++)
            {
                int at = head * _head, kv = head / (_heads / _kvHeads) * _head;
                double[] scores = [.. past.Select(p => Enumerable.Range(0, _head).Sum(i => q[at + i] * p.K[kv + i]) / Math.Sqrt(_head))];
                double max = scores.Max(), sum = scores.Sum(s => Math.Exp(s - max));
                for (int t = 0; t < past.Count; t++)
                {
                    for (int i = 0; i < _head; i++)
                        y[at + i] += Math.Exp(scores[t] - max) / sum * past[t].V[kv + i];
                }
            }
            return y;
        }
    }
}
