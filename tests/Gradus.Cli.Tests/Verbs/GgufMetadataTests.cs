using System.Text.Json;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>Metadata of GGUF as other programs write it: honoured, or refused by its name.</summary>
public sealed class GgufMetadataTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gradus-metadata-");

    private string File => Path.Combine(_folder.FullName, "model.gguf");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void ValuesForEachLayerCountAsOne()
    {
        int[] plain = Ids(SmallGguf.Write(File));
        Assert.Equal(plain, Ids(SmallGguf.Write(File, m => m.Set("llama.attention.head_count_kv", new[] { 1, 1 }))));
        Assert.Equal(plain, Ids(SmallGguf.Write(File, m => m.Set("llama.feed_forward_length", new[] { 24u, 24u }))));
        SmallGguf.Write(File, m => m.Set("llama.attention.head_count_kv", new[] { 1, 2 }));
        InProcess.Of("generate", File, "-p", "a").Fails(2, "llama.attention.head_count_kv differs from layer to layer (1, 2)");
    }

    [Fact]
    public void TheFactorOfLinearScalingHadAnotherName()
    {
        int[] scaled = Ids(SmallGguf.Write(File, m =>
        {
            m.Set("llama.rope.scaling.type", "linear");
            m.Set("llama.rope.scaling.factor", 4f);
        }));
        Assert.NotEqual(Ids(SmallGguf.Write(File)), scaled);
        Assert.Equal(scaled, Ids(SmallGguf.Write(File, m => m.Set("llama.rope.scale_linear", 4f))));
        // llama.cpp scales linearly where the kind is not said.
        Assert.Equal(scaled, Ids(SmallGguf.Write(File, m => m.Set("llama.rope.scaling.factor", 4f))));
        Assert.Equal(Ids(SmallGguf.Write(File)), Ids(SmallGguf.Write(File, m =>
        {
            m.Set("llama.rope.scaling.type", "none");
            m.Set("llama.rope.scaling.factor", 4f);
        })));
    }

    [Theory]
    [InlineData("eot_token_id")]
    [InlineData("eom_token_id")]
    public void TheEndOfATurnEndsAText(string key)
    {
        int[] plain = Ids(SmallGguf.Write(File));
        int last = Array.FindIndex(plain, id => id != plain[0]);
        Assert.True(last > 0);
        SmallGguf.Write(File, m => m.Set($"tokenizer.ggml.{key}", (uint)plain[last]));
        Assert.Equal(plain[..(last + 1)], Ids(File));
        string folder = Path.Combine(_folder.FullName, "folder"), again = Path.Combine(_folder.FullName, "again.gguf");
        InProcess.Of("convert", File, folder).Succeeds();
        Assert.Equal(plain[..(last + 1)], Ids(folder));
        InProcess.Of("convert", folder, again).Succeeds();
        Assert.Equal(plain[..(last + 1)], Ids(again));
    }

    [Fact]
    public void MinusOneIsNoToken()
    {
        int[] plain = Ids(SmallGguf.Write(File));
        foreach (object none in new object[] { uint.MaxValue, -1, -1L, 5000u })
            Assert.Equal(plain, Ids(SmallGguf.Write(File, m => m.Set("tokenizer.ggml.padding_token_id", none))));
    }

    [Theory]
    [InlineData("llama.final_logit_softcapping", 30f)]
    [InlineData("llama.attention.clamp_kqv", 8f)]
    [InlineData("llama.logit_scale", 0.5f)]
    [InlineData("llama.rope.dimension_count", 4u)]
    [InlineData("llama.attention.value_length", 4u)]
    [InlineData("llama.attention.sliding_window", 16u)]
    [InlineData("llama.attention.causal", false)]
    [InlineData("llama.use_parallel_residual", true)]
    [InlineData("llama.rope.scaling.type", "ntk")]
    public void WhatWouldChangeNumbersIsNamed(string key, object value)
    {
        SmallGguf.Write(File, m => m.Set(key, value));
        InProcess.Of("generate", File, "-p", "a").Fails(2, key, "is not understood");
    }

    [Fact]
    public void AnEpsilonIsNotMadeUp()
    {
        SmallGguf.Write(File, m => m.Remove("llama.attention.layer_norm_rms_epsilon"));
        InProcess.Of("generate", File, "-p", "a").Fails(2, "llama.attention.layer_norm_rms_epsilon is missing");
    }

    private static int[] Ids(string model)
    {
        JsonElement written = InProcess.Of("generate", model, "-p", "ab", "--greedy", "--max-tokens", "12", "--json").Json();
        return [.. written.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())];
    }
}
