using System.Text.RegularExpressions;
using Gradus.Cli.Reports;

namespace Gradus.Cli.Tests.Reports;

public sealed partial class RunReportTests : IDisposable
{
    private readonly RunFixture run = new();

    public void Dispose() => run.Dispose();

    [Fact]
    public void AFolderThatIsNotThereIsAnErrorThatSaysSo()
    {
        string folder = Path.Combine(run.Folder, "nowhere");
        Assert.Contains(folder, Assert.Throws<DirectoryNotFoundException>(() => RunReport.Write(folder)).Message);
    }

    [Fact]
    public void AnEmptyFolderSaysThatNothingIsThere()
    {
        string path = RunReport.Write(run.Folder);
        Assert.Equal(Path.Combine(run.Folder, "report.html"), path);
        Assert.Contains("Nothing is here yet", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(run.Folder));
    }

    [Fact]
    public void TheSameFolderGivesTheSameBytes()
    {
        run.AddLog(300, 50).AddEvaluations().AddCheckpoint("step-300").Add("run.json", """{"name":"r","seed":7,"config":{"a":{"b":[1,2]}}}""");
        byte[] first = File.ReadAllBytes(RunReport.Write(run.Folder));
        Assert.Equal(first, File.ReadAllBytes(RunReport.Write(run.Folder)));
    }

    [Fact]
    public void ThePageAsksForNothingFromOutside()
    {
        run.AddLog(5, 5);
        string html = WithoutScripts(Page());
        Assert.Matches("default-src 'none'; script-src 'sha256-[^']+' 'sha256-[^']+'", html);
        Assert.Empty(Regex.Matches(html, """(src|href)="(?!#|data:)""").Select(match => match.Value));
        Assert.DoesNotContain("@import", html);
    }

    [Fact]
    public void HostileTextStaysText()
    {
        const string Hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>";
        string json = System.Text.Json.JsonSerializer.Serialize(Hostile);
        run.AddLog(3, 3)
            .Add("run.json", $$"""{"name":{{json}},"started":{{json}},"versions":{ {{json}}: {{json}} },"config":{ {{json}}: [{{json}}, "\ud800"], "\udfff": "\ud800" } }""")
            .Add("samples/1.json", $$"""{"step":3,"title":{{json}},"samples":[{"prompt":{{json}},"completion":{{json}}},null,{}]}""")
            .Add("eval/x.json", $$"""{"name":{{json}},"task":{{json}},"model":{{json}},"metrics":[{"name":{{json}},"value":1},null],"samples":[null,{"prompt":{{json}},"prediction":{{json}},"scores":{ {{json}}: 1 } }]}""")
            .Add("tokenizer-report.json", $$"""{"vocabulary_size":9,"longest_tokens":[{{json}}]}""");
        string html = Page();
        Assert.Contains("&lt;img src=x onerror=alert(1)&gt;", html);
        Assert.DoesNotContain("<img", html);
        Assert.Equal(3, Regex.Count(html, "<script"));
    }

    [Fact]
    public void WhatIsBrokenOrAbsentIsNamed()
    {
        run.Add("log.jsonl", "{\"kind\":\"step\",\"step\":4,\"loss\":NaN}\n{\"kind\":\"step\",\"step\":5,\"loss\":2.5}\n{\"kind\":")
            .Add("run.json", "[1]").Add("samples/7.json", "{\"step\":").Add("eval/before.json", "").Add("checkpoints/step-5/config.json", "{}");
        string html = Page();
        foreach (string said in new[]
        {
            "The last line of log.jsonl is cut off",
            "The training loss is not a finite number at 1 logged step, first at step 4",
            "No validation was logged",
            "run.json holds no object",
            "samples/7.json is not readable",
            "eval/before.json is empty",
            "checkpoints/ holds no complete checkpoint yet",
            "nothing to talk to",
        })
        {
            Assert.Contains(said, html);
        }
        File.Delete(Path.Combine(run.Folder, "log.jsonl"));
        Assert.Contains("Absent from this folder: log.jsonl (the curves).", Page());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnyFileCutAnywhereStillGivesAPage(bool quickstart)
    {
        string stage = quickstart ? "1-a" : "";
        run.AddLog(3, 1, stage).AddEvaluations(stage)
            .Add(Path.Combine(stage, "run.json"), """{"name":"r","started":"2026-01-01T00:00:00Z","versions":{"gradus":"0.1.0"},"config":{"a":[1,{"b":null}],"c":-1e-3}}""")
            .Add(Path.Combine(stage, "samples", "1.json"), """{"step":1,"title":"t","samples":[{"prompt":"p","completion":"c \ud83d\ude00"}]}""")
            .Add(Path.Combine(stage, "tokenizer-report.json"), """{"vocabulary_size":9,"bytes_per_token":2.5,"longest_tokens":["ab"],"unused":1}""");
        if (quickstart)
            run.Add("pipeline.json", """{"stages":[{"folder":"1-a","title":"A","seconds":1.5,"facts":{"n":1}}],"next":["x"]}""");
        foreach (string file in Directory.GetFiles(run.Folder, "*.json*", SearchOption.AllDirectories))
        {
            byte[] whole = File.ReadAllBytes(file);
            for (int length = 0; length < whole.Length; length += 1 + (whole.Length / 40))
            {
                File.WriteAllBytes(file, whole[..length]);
                Assert.EndsWith("</html>\n", RunReport.Render(run.Folder));
            }
            File.WriteAllBytes(file, whole);
        }
    }

    [Fact]
    public void EvaluationsStandSideBySide()
    {
        run.AddEvaluations();
        string[] rows = [.. Regex.Matches(Page(), "<tr>(.*?)</tr>", RegexOptions.Singleline).Select(match => Text(match.Value))];
        Assert.Equal("Metric before base after tuned Difference after − before", rows[0]);
        Assert.Equal("ROUGE-L 0.124 ± 0.005 0.694 ± 0.012 +0.570 ± 0.013 better", rows[1]);
        Assert.Equal("Loss 1.900 0.350 −1.550 better", rows[2]);
        Assert.Equal("Words 21.40 14.80 −6.60", rows[3]);
    }

    [Fact]
    public void ADifferenceWithinTwoStandardErrorsIsNoise()
    {
        foreach ((string name, double value) in new[] { ("before", 0.50), ("after", 0.51) })
            run.Add($"eval/{name}.json", $$"""{"name":"{{name}}","metrics":[{"name":"accuracy","value":{{value}},"standard_error":0.01}]}""");
        Assert.Contains("within the noise", Page());
    }

    [Fact]
    public void TheChatCommandNamesTheLatestWholeCheckpoint()
    {
        run.AddLog(3, 3).AddCheckpoint("step-900").AddCheckpoint("step-1000").Add("checkpoints/step-2000/config.json", "{}");
        Assert.Contains($"gradus chat {run.Folder}/checkpoints/step-1000<", Page());
        run.Add("run.json", """{"next":["gradus generate x"]}""");
        Assert.Contains("<code>gradus generate x</code>", Page());
    }

    [Fact]
    public void SamplesOfOnePromptFollowTheSteps()
    {
        run.Add("samples/b.json", """{"step":1000,"title":"t","samples":[{"prompt":"Once","completion":" upon"}]}""")
            .Add("samples/a.json", """{"step":20,"title":"t","samples":[{"prompt":"Once","completion":" the the"}]}""");
        string text = Text(Page());
        Assert.Contains("t step 20 Once the the step 1,000 Once upon", text);
    }

    [Fact]
    public void APipelineShowsItsStagesInOrder()
    {
        run.Add("pipeline.json", """
            {"title":"A < life","stages":[{"folder":"1-tokenizer","title":"Train a tokenizer","what":"Learns merges.","command":"gradus tokenizer train","seconds":4.2,"facts":{"documents":8000}},
             {"folder":"2-pretrain","title":"Pre-train","seconds":61},{"folder":"3-later","title":"Later"},{"folder":"../outside\u0000","title":"Outside"},null],
             "next":["gradus chat here"]}
            """)
            .Add("1-tokenizer/tokenizer-report.json", """{"vocabulary_size":2048,"bytes_per_token":3.4,"longest_tokens":[" everything"],"unused":["a","b"]}""")
            .AddLog(40, 20, "2-pretrain").AddEvaluations("2-pretrain");
        string html = Page(), text = Text(html);
        Assert.Equal(["stage-1", "stage-2", "stage-3", "stage-4"], Regex.Matches(html, "<section id=\"(stage-[^\"]+)\"").Select(match => match.Groups[1].Value));
        Assert.Contains("<h1>A &lt; life</h1>", html);
        Assert.Contains("in 4 stages and 1 min 05 s", text);
        Assert.Contains("2,048 tokens, 3.400 bytes each", text);
        Assert.Contains("ROUGE-L 0.124 → 0.694", text);
        Assert.Contains("␣everything", text);
        Assert.Contains("documents 8,000", text);
        Assert.Contains("Nothing is here yet: this stage has not started", text);
        Assert.Contains("which is not below this one", text);
        Assert.Contains("<code>gradus chat here</code>", html);
    }

    [Fact]
    public void WithoutTheListTheStagesAreFoundByName()
    {
        run.Add("pipeline.json", "{\"stages\":[").AddLog(4, 2, "10-b").AddLog(4, 2, "2-a").AddCheckpoint("step-4", "2-a");
        string text = Text(Page());
        Assert.Contains("pipeline.json is not readable", text);
        Assert.Matches("2-a.*10-b", text);
        Assert.Contains("/2-a/checkpoints/step-4", text);
    }

    private string Page() => File.ReadAllText(RunReport.Write(run.Folder));

    private static string WithoutScripts(string html) => Regex.Replace(html, "<script.*?</script>", "", RegexOptions.Singleline);

    private static string Text(string html) => Spaces().Replace(System.Net.WebUtility.HtmlDecode(Regex.Replace(html, "<[^>]*>", " ")), " ").Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
