using System.Text.Json;
using Gradus.Models;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>Models that do not write text: they can be looked at and converted, and whoever asks them for text is told.</summary>
public sealed class EncoderVerbTests(SmallModel models) : IClassFixture<SmallModel>
{
    private static readonly BertConfig Tagger = new(HiddenSize: 16, NumHiddenLayers: 1, NumAttentionHeads: 2, IntermediateSize: 24, MaxPositionEmbeddings: 32)
    {
        Architecture = "BertForTokenClassification",
        Labels = new LabelSet(["none", "person", "place"]),
    };

    [Fact]
    public void AnEncoderIsInspectedAndConverted()
    {
        string folder = models.WriteModel("tagger", Tagger), copy = models["copy"];
        JsonElement facts = CommandLineRun.Of("inspect", folder, "--json").Succeeds().Json();
        Assert.Equal("BertForTokenClassification", facts.GetProperty("architecture").GetString());
        Assert.Equal("place", facts.GetProperty("config").GetProperty("id2label").GetProperty("2").GetString());
        Assert.Contains("BertForTokenClassification (bert)", CommandLineRun.Of("inspect", folder).Succeeds().Output, StringComparison.Ordinal);
        CommandLineRun.Of("convert", folder, copy);
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "config.json")), File.ReadAllText(Path.Combine(copy, "config.json")));
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder, "model.safetensors")), File.ReadAllBytes(Path.Combine(copy, "model.safetensors")));
    }

    [Fact]
    public void AnEncoderAndAClassifierAreNotAskedForText()
    {
        string tagger = models.WriteModel("asked", Tagger);
        CommandLineRun.Of("generate", tagger, "-p", "a").Fails(2, tagger, "BertForTokenClassification does not write text");
        CommandLineRun.Of("chat", tagger).Fails(2, tagger, "does not write text");
        string judge = models.WriteModel("judge", new LlamaConfig(HiddenSize: 16, IntermediateSize: 24, NumHiddenLayers: 1, NumAttentionHeads: 2) { Architecture = "LlamaForSequenceClassification" });
        CommandLineRun.Of("generate", judge, "-p", "a").Fails(2, judge, "LlamaForSequenceClassification does not write text");
    }
}
