using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Files;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>Encoder-decoder models: sources, and the names under which published checkpoints store tied tensors.</summary>
public sealed class Seq2SeqContractTests
{
    public static TheoryData<string> Names() => [.. TinyModels.Names.Where(n => Make(n) is EncoderDecoderModel)];

    [Theory]
    [MemberData(nameof(Names))]
    public void TheSourceMatters(string name)
    {
        EncoderDecoderModel model = Make(name);
        int[] target = TinyModels.Prompt(4, 2);
        float[] one = ContractChecks.Logits(model, new TokenBatch(target) { Source = new TokenBatch(TinyModels.Prompt(8, 3)) });
        float[] other = ContractChecks.Logits(model, new TokenBatch(target) { Source = new TokenBatch(TinyModels.Prompt(8, 4)) });
        Assert.Contains(one.Zip(other), p => Math.Abs(p.First - p.Second) > 1e-3);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ALongSourceIsReadOnce(string name)
    {
        EncoderDecoderModel model = Make(name);
        int[] source = TinyModels.Prompt(90, 6);
        using Generator generator = new(model);
        GenerationRequest request = GenerationRequest.For(model, source) with { MaxNewTokens = 40, LogProbabilities = true };
        Assert.Equal([model.StartToken], request.Prompt);
        GeneratedSequence sequence = generator.Run(request);
        int[] tokens = sequence.Tokens.ToArray();
        using Workspace step = model.Parts.Store.NewScratch();
        float[] losses = model.Losses(new Pass(new TokenBatch(tokens[..^1]) { Source = new TokenBatch(source) }, step), step.From(tokens.AsSpan(1))).ToArray();
        for (int i = 0; i < losses.Length; i++)
            Assert.Equal(-losses[i], sequence.LogProbabilities[i], 1e-4f);
        Assert.Equal(0, generator.PagesInUse);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ASourceIsNeeded(string name)
    {
        EncoderDecoderModel model = Make(name);
        using Workspace step = model.Parts.Store.NewScratch();
        Assert.Contains("no source", Assert.Throws<ArgumentException>(() => model.Logits(new Pass(new TokenBatch([1, 2]), step))).Message, StringComparison.Ordinal);
        using Generator generator = new(model);
        foreach ((int[]? source, string message) in new (int[]?, string)[] { (null, "give Source"), ([], "source has no token"), ([1, 101], "Token 1 of the source") })
            Assert.Contains(message, Assert.Throws<ArgumentException>(() => generator.Add(new GenerationRequest([1]) { Source = source })).Message, StringComparison.Ordinal);
        using GenerativeModel decoder = TinyModels.Make("llama", ReferenceDevice.Instance);
        using Generator other = new(decoder);
        Assert.Contains("no encoder", Assert.Throws<ArgumentException>(() => other.Add(new GenerationRequest([1]) { Source = [1] })).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new TokenBatch([1, 2], [0, 1, 2]) { Source = new TokenBatch([1]) });
    }

    // Older files repeat the table for encoder, decoder and head; some keep only one of the copies.
    [Theory]
    [InlineData("t5", "shared.weight", "shared.weight encoder.embed_tokens.weight decoder.embed_tokens.weight lm_head.weight")]
    [InlineData("t5", "shared.weight", "encoder.embed_tokens.weight")]
    [InlineData("t5", "shared.weight", "lm_head.weight")]
    [InlineData("flan-t5", "shared.weight", "decoder.embed_tokens.weight")]
    [InlineData("bart", "model.shared.weight", "model.shared.weight model.encoder.embed_tokens.weight model.decoder.embed_tokens.weight lm_head.weight")]
    [InlineData("bart", "model.shared.weight", "model.encoder.embed_tokens.weight")]
    public void TiedTensorsMayHaveOtherNames(string name, string table, string stored)
    {
        EncoderDecoderModel model = Make(name);
        LoadsTheSame(model, p => p == table ? stored.Split(' ') : [p]);
    }

    [Fact]
    public void OldFilesHoldWhatNoModelReads() => LoadsTheSame(Make("t5"), p => p == "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        ? [p, "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] : [p]);

    // facebook/bart-base: the names without "model.", and no final_logits_bias, which is zero then.
    [Fact]
    public void BartMayBeStoredWithoutItsHead() => LoadsTheSame(Make("bart"), p => p == "final_logits_bias" ? [] : [p["model.".Length..]]);

    [Fact]
    public void AMissingTensorIsNamed()
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => LoadsTheSame(Make("t5"), p => p == "shared.weight" ? [] : [p]));
        Assert.Contains("shared.weight", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"model_type":"t5","vocab_size":8,"decoder_start_token_id":8}""", "decoder_start_token_id")]
    [InlineData("""{"model_type":"t5","relative_attention_num_buckets":2}""", "relative_attention_num_buckets")]
    [InlineData("""{"model_type":"t5","relative_attention_max_distance":16}""", "relative_attention_max_distance")]
    [InlineData("""{"model_type":"bart","decoder_attention_heads":7}""", "decoder_attention_heads")]
    [InlineData("""{"model_type":"bart","dropout":1}""", "dropout")]
    public void WrongValuesAreNamed(string config, string key) => Assert.Contains(
        $"config.json: {key}:", Assert.Throws<InvalidDataException>(() => Architectures.Parse(JsonNode.Parse(config)!.AsObject(), "config.json")).Message, StringComparison.Ordinal);

    private static void LoadsTheSame(EncoderDecoderModel model, Func<string, string[]> names)
    {
        using TemporaryFolder folder = new();
        using (AtomicFolder written = AtomicFolder.Begin(folder["model"]))
        {
            Checkpoint.WriteObject(written, Checkpoint.ConfigFile, Architectures.ToJson(model.Config));
            Checkpoint.WriteTensors(written.Create(Checkpoint.WeightsFile), model.Parameters.SelectMany(p => names(p.Name).Select(n => (n, p.Value))).ToDictionary(t => t.n, t => t.Value));
            written.Commit();
        }
        using GenerativeModel loaded = (GenerativeModel)Checkpoint.Load(folder["model"], model.Device);
        Assert.Equal(ContractChecks.Logits(model, ContractChecks.Ragged(model)), ContractChecks.Logits(loaded, ContractChecks.Ragged(loaded)));
    }

    private static EncoderDecoderModel Make(string name) => (TinyModels.Make(name, TinyModels.Cpu(2)) as EncoderDecoderModel)!;
}
