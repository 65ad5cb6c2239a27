using System.Text;
using System.Text.Json;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Testing;
using Gradus.Tests.Text;
using Gradus.Text;

namespace Gradus.Tests.Generation.Structure;

/// <summary>A grammar as a step of generation, over the tokens of real tokenizers.</summary>
public sealed class FollowGrammarTests
{
    [Fact]
    public void Random_logits_make_valid_json_in_any_order_of_sequences()
    {
        Random random = new(2);
        TokenBytes tokens = new([[], .. Enumerable.Range(0, 256).Select(b => new[] { (byte)b }), .. "{\"|\":|\"a|true|, |}}|[1|12".Split('|').Select(Encoding.UTF8.GetBytes)]);
        FollowGrammar step = new(Grammar.FromJsonSchema("""{"type":"object","properties":{"a":{"type":"array","items":{"type":"boolean"}}},"required":["a"]}"""u8.ToArray()), tokens, [0], maxTokens: 40);
        List<int>[] sequences = [.. Enumerable.Range(0, 12).Select(_ => new List<int>())];
        for (int round = 0; round < 41 * 12; round++)
        {
            List<int> sequence = sequences[random.Next(sequences.Length)];
            if (sequence.Contains(0) || sequence.Count == 40)
                continue;
            float[] logits = [.. Enumerable.Range(0, tokens.Count).Select(_ => random.NextSingle())];
            step.Apply(logits, new GenerationState(sequence.ToArray(), 0, new LogitsScratch()));
            sequence.Add(Array.IndexOf(logits, logits.Max()));
        }
        foreach (List<int> sequence in sequences.Where(s => s.Contains(0) || s.Count == 40))
            Assert.Equal(JsonValueKind.Array, JsonDocument.Parse(Encoding.UTF8.GetString([.. sequence.SelectMany(t => tokens[t].ToArray())])).RootElement.GetProperty("a").ValueKind);
        Assert.Contains(sequences, s => s.Contains(0) || s.Count == 40);
    }

    [SharedFact("data", "tokenizers")]
    public void Tokens_write_what_decoding_them_in_a_text_writes()
    {
        foreach (Tokenizer tokenizer in new[] { Tokenizer.Load(Golden.Data("phi3")), Tokenizer.Load(Golden.Data("tiktoken", "cl100k_base.tiktoken")), Tokenizer.Load(Golden.Data("sentencepiece", "bpe-1000.model")) })
        {
            byte[][] texts = tokenizer.TokenTexts();
            foreach (string text in new[] { "x {\"a\": [1, 2.5], \"é\": \"naïve 東京\"}", "x one  two\n\tthree" })
            {
                int[] ids = tokenizer.Encode(text, addSpecialTokens: false);
                if (tokenizer.UnknownId is { } unknown && ids.Contains(unknown))
                    continue;
                string written = Encoding.UTF8.GetString([.. ids.SelectMany(id => texts[id])]);
                Assert.Equal(tokenizer.Decode(ids), written.StartsWith(' ') ? written[1..] : written);
            }
        }
    }
}
