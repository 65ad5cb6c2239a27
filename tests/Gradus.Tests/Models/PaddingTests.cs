using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>What the padding token's id means to a model although no batch here is padded.</summary>
public sealed class PaddingTests
{
    private const int Padding = 3;

    // nn.Embedding(padding_idx): a lookup of the padding row trains nothing; a tied head still does.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void LookupsDoNotTrainThePaddingRow(bool tied)
    {
        LlamaConfig config = (LlamaConfig)TinyModels.Config("llama") with { PadTokenId = Padding, TieWordEmbeddings = tied };
        using DecoderModel model = (DecoderModel)TinyModels.Make(config, ReferenceDevice.Instance);
        Parameter table = model.Parts.Embeddings[0].Table;
        Assert.All(Row(table.Value), v => Assert.Equal(0, v));
        model.SetTrainable(true);
        using Workspace step = model.Parts.Store.NewScratch();
        Tape tape = step.StartTape();
        Pass pass = new(new TokenBatch([5, Padding, 7, Padding]), step);
        tape.Backward(model.Losses(pass, step.From([7, 7, Padding, 9])).Sum());
        Assert.Equal(tied, Row(table.Gradient!).Any(v => v != 0));
        Assert.Contains(table.Gradient!.ToArray()[(5 * 48)..(6 * 48)], v => v != 0);
    }

    [Theory]
    [InlineData(-1, TinyModels.Vocabulary - 1)]
    [InlineData(TinyModels.Vocabulary, null)]
    [InlineData(Padding, Padding)]
    public void ANegativeIdCountsFromTheEnd(int id, int? row)
    {
        using DecoderModel model = (DecoderModel)TinyModels.Make((LlamaConfig)TinyModels.Config("llama") with { PadTokenId = id }, ReferenceDevice.Instance);
        Assert.Equal(row, model.Parts.Embeddings[0].Padding);
    }

    // create_position_ids_from_input_ids: the padding token has the padding's position and does not count.
    [Fact]
    public void RobertaDoesNotCountPaddingTokens()
    {
        RobertaConfig config = (RobertaConfig)EncoderCases.Tiny.Single(c => c is RobertaConfig) with { Architecture = "RobertaModel", PadTokenId = Padding };
        using LanguageModel model = (LanguageModel)EncoderCases.Make(config, ReferenceDevice.Instance);
        float[] first = Embedded([9, Padding, 8]);
        float[] moved = Embedded([9, 8]);
        Assert.Equal(moved[..24], first[..24]);
        Assert.Equal(moved[24..], first[48..]);
        Assert.NotEqual(first[24..48], Embedded([Padding, 9])[24..]);

        float[] Embedded(int[] ids)
        {
            using Workspace step = model.Parts.Store.NewScratch();
            Capture capture = new();
            model.Hidden(new Pass(new TokenBatch(ids), step) { Observer = capture });
            return capture.HiddenStates[0];
        }
    }

    // _create_sinusoidal_embeddings: sines and cosines in turn, which training leaves alone.
    [Fact]
    public void SinusoidalPositionsAreFixed()
    {
        DistilBertConfig config = (DistilBertConfig)EncoderCases.Tiny.Single(c => c is DistilBertConfig) with { SinusoidalPosEmbds = true };
        using LanguageModel model = EncoderCases.Make(config, ReferenceDevice.Instance);
        Parameter positions = model.Parts.Find("distilbert.embeddings.position_embeddings.weight")!;
        model.SetTrainable(true);
        Assert.False(positions.Trainable);
        float[] row = positions.Value.ToArray()[(5 * 24)..(6 * 24)];
        Assert.Equal(Math.Sin(5), row[0], 1e-6);
        Assert.Equal(Math.Cos(5 / Math.Pow(10000, 4.0 / 24)), row[5], 1e-6);
    }

    private static float[] Row(Tensor table) => table.ToArray()[(Padding * 48)..((Padding + 1) * 48)];
}
