using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Files;

namespace Gradus.Tests.Models;

/// <summary>minGPT's trained "sort" model: every intermediate tensor of a forward pass, and the same logits from each file format.</summary>
public sealed class GptNanoSortTests
{
    private const int Batch = 3, Length = 11, Width = 48, Heads = 3, Size = Width / Heads;
    private const float Epsilon = 1e-5f;

    private static readonly Gpt2Config Config = new(VocabSize: 3, NPositions: Length, NEmbd: Width, NLayer: 3, NHead: Heads, TieWordEmbeddings: false);

    public static TheoryData<string> Devices() => [.. TestDevices.Names];

    [SharedTheory("data", "gpt-nano-sort-weights")]
    [MemberData(nameof(Devices))]
    public void EveryIntermediateTensorIsTheReferences(string device)
    {
        using LanguageModel model = Load(TestDevices.Get(device));
        using Workspace w = model.Parts.Store.NewScratch();
        JsonObject expected = Read("gpt-nano-sort-t0-partials.json");
        int[] ids = [.. Floats(expected["idx"]!).Select(v => (int)v)];
        Inside inside = new(model, w, expected);
        Tensor tokens = inside.Value("wte.weight").Gather(w.From(ids)), positions = inside.Value("wpe.weight");
        inside.Check("tok_emb", tokens);
        inside.Check("pos_emb", positions);
        Tensor x = tokens.Add(positions.Gather(w.From([.. Enumerable.Range(0, ids.Length).Select(i => i % Length)])));
        inside.Check("x", x);
        for (int layer = 0; layer < Config.NLayer; layer++)
        {
            x = inside.Block(x, layer);
            inside.Check($"block{layer}", x);
        }
        x = inside.Norm(x, "ln_f");
        inside.Check("ln_f", x);

        // And the model itself, which fuses what was done above by hand.
        Capture capture = new() { Attentions = true };
        Tensor logits = ((GenerativeModel)model).Logits(new Pass(TokenBatch.Of([.. ids.Chunk(Length)]), w) { Observer = capture });
        inside.Check("lm_head", logits);
        inside.Check("probs", logits.Softmax());
        Assert.Equal(x.ToArray().Length, capture.HiddenStates[^1].Length);
        foreach ((string name, float[] hidden) in new[] { "x", "block0", "block1", "ln_f" }.Zip(capture.HiddenStates))
            inside.Check(name, hidden);
        float[] probabilities = Floats(expected["attSm"]!);
        for (int at = 0; at < probabilities.Length; at++)
            Assert.Equal(probabilities[at], capture.Maps[0][at / (Heads * Length * Length)][at / (Length * Length) % Heads, at / Length % Length, at % Length], 2e-6f);
    }

    [SharedFact("data", "gpt-nano-sort-weights")]
    public void ItSortsAfterAWayThroughEveryFormat()
    {
        using TemporaryFolder folder = new();
        using LanguageModel model = Load(TestDevices.Get("reference"));
        float[] expected = Logits(model);
        using (AtomicFolder target = AtomicFolder.Begin(folder["hf"]))
        {
            Checkpoint.Write(target, model);
            target.Commit();
        }
        using LanguageModel read = Checkpoint.Load(folder["hf"], TestDevices.Get("reference"));
        Assert.Equal(expected, Logits(read));
        using (GgufExport export = GgufExport.Plan(Architectures.ToJson(model.Config), TensorFile.Open(folder["hf"]), null, new GgufExportOptions(GgufStorage.Get("f32"))))
        using (FileStream stream = File.Create(folder["model.gguf"]))
            export.Write(stream);
        using LanguageModel fromGguf = Checkpoint.Load(folder["model.gguf"], TestDevices.Get("reference"));
        Assert.Equal(expected, Logits(fromGguf));

        foreach ((DType type, string name) in ((DType, string)[])[(DType.F16, "f16"), (DType.BF16, "bf16")])
        {
            using (AtomicFolder target = AtomicFolder.Begin(folder["narrow"]))
            {
                using TensorFile whole = TensorFile.Open(folder["hf"]);
                Checkpoint.Write(target, Architectures.ToJson(model.Config), whole, Checkpoint.Match(model.Config, whole), type, maxShardBytes: 10_000);
                target.Commit();
            }
            using LanguageModel narrow = Checkpoint.Load(folder["narrow"], TestDevices.Get("reference"));
            float[] rounded = Logits(narrow);
            Assert.NotEqual(expected, rounded);
            using GgufExport export = GgufExport.Plan(Architectures.ToJson(model.Config), TensorFile.Open(folder["narrow"]), null, new GgufExportOptions(GgufStorage.Get(name)));
            using LanguageModel inGguf = Checkpoint.Load(export.Write(folder[$"{name}.gguf"], maxShardBytes: 10_000)[0], TestDevices.Get("reference"));
            Assert.Equal(rounded, Logits(inGguf));
        }

        // B B C A A A is followed by A A A B B C.
        int[] sorted = [0, 0, 0, 1, 1, 2];
        for (int i = 0; i < sorted.Length; i++)
            Assert.Equal(sorted[i], Array.IndexOf(expected[(3 * (5 + i))..(3 * (6 + i))], expected[(3 * (5 + i))..(3 * (6 + i))].Max()));
    }

    private static float[] Logits(LanguageModel model)
    {
        using Workspace w = model.Parts.Store.NewScratch();
        return ((GenerativeModel)model).Logits(new Pass(new TokenBatch([1, 1, 2, 0, 0, 0, 0, 0, 0, 1, 1]), w)).ToArray();
    }

    // minGPT keeps linear weights as (out, in), Hugging Face's GPT-2 as (in, out).
    private static LanguageModel Load(Device device)
    {
        JsonObject file = Read("gpt-nano-sort-model.json");
        LanguageModel model = Checkpoint.Create(Config, seed: 1, device);
        foreach (Parameter p in model.Parameters)
        {
            float[] values = Floats(file[p.Name]!);
            Span<float> to = p.Value.Span();
            Assert.Equal(to.Length, values.Length);
            bool turned = p.Name.Contains(".c_", StringComparison.Ordinal) && p.Shape.Rank == 2;
            for (int i = 0; i < values.Length; i++)
                to[i] = turned ? values[(i % p.Shape[1] * p.Shape[0]) + (i / p.Shape[1])] : values[i];
            p.MarkChanged();
        }
        return model;
    }

    private static JsonObject Read(string name) => Checkpoint.ReadObject(SharedFolder.Find("data", "gpt-nano-sort-weights", name)!);

    private static float[] Floats(JsonNode tensor)
    {
        byte[] bytes = Convert.FromBase64String((string)tensor["data"]!);
        float[] values = new float[bytes.Length / sizeof(float)];
        Buffer.BlockCopy(bytes, 0, values, 0, bytes.Length);
        return values;
    }

    /// <summary>The forward pass by hand, step by step.</summary>
    private sealed class Inside(LanguageModel model, Workspace w, JsonObject expected)
    {
        public Tensor Value(string name) => w.Adopt(model.Parts.Find($"transformer.{name}")!.Value);

        public Tensor Norm(Tensor x, string name) => x.LayerNorm(Value($"{name}.weight"), Value($"{name}.bias"), Epsilon);

        public Tensor Block(Tensor x, int layer)
        {
            string block = $"h.{layer}";
            Action<string, Tensor> check = layer == 0 ? Check : (_, _) => { };
            Tensor normed = Norm(x, $"{block}.ln_1"), qkv = Project(normed, $"{block}.attn.c_attn");
            check("ln1", normed);
            check("qkv", qkv);
            Tensor[] parts = [.. Enumerable.Range(0, 3).Select(i => qkv.Columns(i * Width, Width).Reshape(Batch * Length, Heads, Size))];
            AttentionLayout layout = new([.. Enumerable.Range(0, Batch + 1).Select(i => i * Length)]);
            if (layer == 0)
                CheckAttention(parts[0], parts[1], parts[2]);
            Tensor y = parts[0].Attention(parts[1], parts[2], layout, new AttentionOptions(1f / MathF.Sqrt(Size), Causal: true)).Reshape(Batch * Length, Width);
            check("y", y);
            Tensor projected = Project(y, $"{block}.attn.c_proj");
            check("yProj", projected);
            x = x.Add(projected);
            check("attnResid", x);
            normed = Norm(x, $"{block}.ln_2");
            check("ln2", normed);
            Tensor wide = Project(normed, $"{block}.mlp.c_fc"), bent = wide.Activate(Activations.Parse("gelu_new")), mlp = Project(bent, $"{block}.mlp.c_proj");
            check("fc", wide);
            check("gelu", bent);
            check("mlp", mlp);
            x = x.Add(mlp);
            check("mlpResid", x);
            return x;
        }

        public void Check(string name, Tensor actual) => Check(name, actual.ToArray());

        public void Check(string name, float[] actual)
        {
            float[] values = Floats(expected[name]!);
            Assert.Equal(values.Length, actual.Length);
            for (int i = 0; i < values.Length; i++)
                Assert.True(Math.Abs(values[i] - actual[i]) <= 2e-5 + (1e-5 * Math.Abs(values[i])), $"{name}[{i}] is {actual[i]}, expected {values[i]}");
        }

        private Tensor Project(Tensor x, string name) => x.Linear(Value($"{name}.weight"), Value($"{name}.bias"), WeightLayout.InOut);

        // The reference has heads before tokens: (B, H, T, D).
        private void CheckAttention(params Tensor[] parts)
        {
            float[][] values = [.. parts.Select(p => p.ToArray())];
            foreach ((string name, float[] part) in new[] { "q", "k", "v" }.Zip(values))
                Check(name, [.. Enumerable.Range(0, part.Length).Select(i => part[Row(i / (Heads * Length * Size), i / (Length * Size) % Heads, i / Size % Length) + (i % Size)])]);
            float[] scores = Floats(expected["att"]!);
            for (int i = 0; i < scores.Length; i++)
            {
                int b = i / (Heads * Length * Length), h = i / (Length * Length) % Heads, query = i / Length % Length, key = i % Length;
                double dot = Enumerable.Range(0, Size).Sum(c => (double)values[0][Row(b, h, query) + c] * values[1][Row(b, h, key) + c]) / Math.Sqrt(Size);
                Assert.True(key > query || Math.Abs(dot - scores[i]) <= 2e-5 + (1e-5 * Math.Abs(dot)), $"att[{i}] is {dot}, expected {scores[i]}");
            }
        }

        private static int Row(int sequence, int head, int token) => (((sequence * Length) + token) * Width) + (head * Size);
    }
}
