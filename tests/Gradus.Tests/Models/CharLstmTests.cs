using System.Runtime.InteropServices;
using System.Text.Json;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Files;

namespace Gradus.Tests.Models;

/// <summary>A trained character LSTM from elsewhere (TensorFlow's BasicLSTMCell): the same numbers as by its own formulas, and good at what it learned.</summary>
public sealed class CharLstmTests
{
    private const int Units = 128;
    private const int Vocabulary = 65;
    private static readonly string[] Data = ["data", "char-lstm-weights"];

    public static TheoryData<string> Devices() => [.. TestDevices.Names];

    [SharedTheory("data", "char-lstm-weights")]
    [MemberData(nameof(Devices))]
    public void ComputesWhatItsOwnFormulasSay(string device)
    {
        using TemporaryFolder folder = new();
        using RnnLm model = Load(folder, TestDevices.Get(device));
        int[] ids = Encode("ROMEO:\nWhat light through yonder window breaks?");
        using Workspace step = model.Parts.Store.NewScratch();
        float[] logits = model.Logits(new Pass(new TokenBatch(ids), step)).ToArray();
        float[] expected = Formulas(ids);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], logits[i], 2e-4f);
    }

    [SharedFact("data", "char-lstm-weights")]
    public void ShardsHoldTheSameNetwork()
    {
        using TemporaryFolder folder = new();
        using RnnLm model = Load(folder, TestDevices.Get("reference"));
        using (TensorFile whole = TensorFile.Open(folder["model"]))
        using (AtomicFolder target = AtomicFolder.Begin(folder["shards"]))
        {
            Assert.True(Checkpoint.Write(target, Architectures.ToJson(model.Config), whole, Checkpoint.Match(model.Config, whole), DType.F32, maxShardBytes: 100_000).Count > 2);
            target.Commit();
        }
        using RnnLm again = Assert.IsType<RnnLm>(Checkpoint.Load(folder["shards"], TestDevices.Get("reference")));
        TokenBatch batch = new(Encode("But soft!"));
        using Workspace step = model.Parts.Store.NewScratch();
        Assert.Equal(model.Logits(new Pass(batch, step)).ToArray(), again.Logits(new Pass(batch, step)).ToArray());
    }

    [SharedFact("data", "tiny-shakespeare")]
    public void PredictsShakespeare()
    {
        using TemporaryFolder folder = new();
        using RnnLm model = Load(folder, TestDevices.Get(TestDevices.Names.Last()));
        int[] ids = Encode(File.ReadAllText(SharedFolder.Find("data", "tiny-shakespeare", "input.txt")!)[..20_000]);
        using Workspace step = model.Parts.Store.NewScratch();
        double loss = model.Losses(new Pass(new TokenBatch(ids[..^1]), step), step.From(ids.AsSpan(1))).Sum().Item() / (double)(ids.Length - 1);
        // Guessing is ln 65 = 4.17 nats; the frequencies of characters alone give 3.3.
        Assert.InRange(loss, 1, 1.7);
    }

    // As a checkpoint of this project: gates i, f, g, o for i, j, f, o, transposed, with the forget gate's 1 in its bias.
    private static RnnLm Load(TemporaryFolder folder, Device device)
    {
        RnnLmConfig config = new(VocabSize: Vocabulary, EmbeddingSize: Units, HiddenSize: Units, NumLayers: 2);
        using Workspace w = new(ReferenceDevice.Instance);
        Dictionary<string, Tensor> tensors = new() { ["embedding.weight"] = w.From(Raw("embedding"), new Shape(Vocabulary, Units)) };
        for (int layer = 0; layer < 2; layer++)
        {
            float[] weights = Raw($"rnnlm_multi_rnn_cell_cell_{layer}_basic_lstm_cell_weights"), biases = Raw($"rnnlm_multi_rnn_cell_cell_{layer}_basic_lstm_cell_biases");
            float[] input = new float[4 * Units * Units], hidden = new float[4 * Units * Units], bias = new float[4 * Units];
            for (int g = 0; g < 4; g++)
            {
                int theirs = new[] { 0, 2, 1, 3 }[g];
                for (int u = 0; u < Units; u++)
                {
                    bias[(g * Units) + u] = biases[(theirs * Units) + u] + (g == 1 ? 1 : 0);
                    for (int i = 0; i < Units; i++)
                    {
                        input[(((g * Units) + u) * Units) + i] = weights[(i * 4 * Units) + (theirs * Units) + u];
                        hidden[(((g * Units) + u) * Units) + i] = weights[((Units + i) * 4 * Units) + (theirs * Units) + u];
                    }
                }
            }
            tensors[$"rnn.weight_ih_l{layer}"] = w.From(input, new Shape(4 * Units, Units));
            tensors[$"rnn.weight_hh_l{layer}"] = w.From(hidden, new Shape(4 * Units, Units));
            tensors[$"rnn.bias_ih_l{layer}"] = w.From(bias, new Shape(4 * Units));
            tensors[$"rnn.bias_hh_l{layer}"] = w.Zeros(new Shape(4 * Units));
        }
        tensors["head.weight"] = w.From(Raw("rnnlm_softmax_w"), new Shape(Units, Vocabulary)).SwapAxes();
        tensors["head.bias"] = w.From(Raw("rnnlm_softmax_b"), new Shape(Vocabulary));
        using (AtomicFolder written = AtomicFolder.Begin(folder["model"]))
        {
            Checkpoint.WriteObject(written, Checkpoint.ConfigFile, Architectures.ToJson(config));
            Checkpoint.WriteTensors(written.Create(Checkpoint.WeightsFile), tensors);
            written.Commit();
        }
        return Assert.IsType<RnnLm>(Checkpoint.Load(folder["model"], device));
    }

    // BasicLSTMCell: [i, j, f, o] = [x, h]·W + b; c = c·σ(f + 1) + σ(i)·tanh(j); h = tanh(c)·σ(o).
    private static float[] Formulas(int[] ids)
    {
        float[] embedding = Raw("embedding"), w = Raw("rnnlm_softmax_w"), b = Raw("rnnlm_softmax_b");
        double[][] h = [new double[Units], new double[Units]], c = [new double[Units], new double[Units]];
        float[][] weights = [Raw("rnnlm_multi_rnn_cell_cell_0_basic_lstm_cell_weights"), Raw("rnnlm_multi_rnn_cell_cell_1_basic_lstm_cell_weights")];
        float[][] biases = [Raw("rnnlm_multi_rnn_cell_cell_0_basic_lstm_cell_biases"), Raw("rnnlm_multi_rnn_cell_cell_1_basic_lstm_cell_biases")];
        List<float> logits = [];
        foreach (int id in ids)
        {
            double[] x = [.. embedding.AsSpan(id * Units, Units).ToArray().Select(v => (double)v)];
            for (int layer = 0; layer < 2; layer++)
            {
                double[] input = [.. x, .. h[layer]];
                double Sum(int column) => biases[layer][column] + Enumerable.Range(0, 2 * Units).Sum(k => input[k] * weights[layer][(k * 4 * Units) + column]);
                double[] next = new double[Units];
                for (int u = 0; u < Units; u++)
                {
                    c[layer][u] = (c[layer][u] * Sigmoid(Sum((2 * Units) + u) + 1)) + (Sigmoid(Sum(u)) * Math.Tanh(Sum(Units + u)));
                    next[u] = Math.Tanh(c[layer][u]) * Sigmoid(Sum((3 * Units) + u));
                }
                x = h[layer] = next;
            }
            logits.AddRange(Enumerable.Range(0, Vocabulary).Select(v => (float)(b[v] + Enumerable.Range(0, Units).Sum(u => x[u] * w[(u * Vocabulary) + v]))));
        }
        return [.. logits];
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static float[] Raw(string name) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(SharedFolder.Find([.. Data, name])!)).ToArray();

    private static int[] Encode(string text)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(SharedFolder.Find([.. Data, "vocab.json"])!));
        Dictionary<string, int> ids = json.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetInt32());
        // The published file has lost the names of two letters; ids are in the order of frequency.
        (ids["u"], ids["U"]) = (ids["  "], ids[""]);
        return [.. text.Select(c => ids[c.ToString()])];
    }
}
