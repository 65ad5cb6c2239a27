// Opens the report as its reader does: from a file, in Chromium, and looks at what was drawn.
using System.Text.RegularExpressions;
using Gradus.Cli.Reports;
using Gradus.Testing;
using Microsoft.Playwright;

namespace Gradus.Cli.Tests.Reports;

public sealed class ReportInBrowserTests : IAsyncLifetime, IDisposable
{
    /// <summary>Pixels of a canvas that are of one colour, given as the name of a CSS variable.</summary>
    private const string CountPixels = """
        ([id, name]) => {
          const paint = document.createElement("canvas").getContext("2d");
          paint.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
          paint.fillRect(0, 0, 1, 1);
          const [r, g, b] = paint.getImageData(0, 0, 1, 1).data;
          const canvas = document.querySelector(`#${id} canvas`);
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          let count = 0;
          for (let i = 0; i < data.length; i += 4)
            if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 24) count++;
          return count;
        }
        """;

    private readonly RunFixture run = new();
    private readonly List<string> complaints = [];
    private IPlaywright? playwright;
    private IBrowser? browser;

    public async Task InitializeAsync()
    {
        if (ChromiumFactAttribute.Executable is not { } chromium)
            return;
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = chromium,
            Headless = true,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    public async Task DisposeAsync()
    {
        if (browser is not null)
            await browser.DisposeAsync();
        playwright?.Dispose();
    }

    public void Dispose() => run.Dispose();

    [ChromiumFact]
    public async Task DrawsEveryChartAndShowsEveryTable()
    {
        run.AddLog(5000, 500).AddEvaluations().AddCheckpoint("step-5000")
            .Add("run.json", """{"name":"Long run","seed":7,"config":{"model":{"hidden_size":64}}}""")
            .Add("samples/1.json", """{"step":500,"title":"Beginnings","samples":[{"prompt":"Once upon","completion":" a <b>time</b>"}]}""");
        IPage page = await OpenAsync();
        foreach (string id in new[] { "run-loss", "run-rate", "run-gradient", "run-speed" })
            Assert.True(await page.EvaluateAsync<int>(CountPixels, new[] { id, "--train" }) > 100, $"{id} has no line");
        Assert.True(await page.EvaluateAsync<int>(CountPixels, new[] { "run-loss", "--validation" }) > 100, "no line of the validation loss");
        Assert.Equal("Long run", await page.InnerTextAsync("h1"));
        Assert.Equal(["Metric", "before base", "after tuned", "Difference after − before"], await CellsAsync(page, "table.metrics thead th"));
        Assert.Equal(["0.124 ± 0.005", "0.694 ± 0.012", "+0.570 ± 0.013 better"], await CellsAsync(page, "table.metrics tbody tr:first-child td"));
        Assert.Equal("Once upon a <b>time</b>", await page.InnerTextAsync(".timeline .text"));
        Assert.Equal(["They greet.", "the the a", "Two people greet."], await CellsAsync(page, ".example > div:last-child .text"));
        await page.ClickAsync(".configuration > summary");
        Assert.True(await page.IsVisibleAsync("text=hidden_size"));
        Assert.Empty(complaints);
    }

    [ChromiumFact]
    public async Task TheKeyboardReachesPointsSeriesAndScale()
    {
        run.AddLog(200, 50);
        IPage page = await OpenAsync();
        await page.FocusAsync("#run-loss");
        await page.Keyboard.PressAsync("Home");
        await page.Keyboard.PressAsync("ArrowRight");
        string legend = ".chart.tall .u-legend .u-series:first-child .u-value";
        Assert.Equal("2", await page.InnerTextAsync(legend));
        Assert.Equal("2", await page.InnerTextAsync(".charts .chart:last-child .u-legend .u-series:first-child .u-value"));
        Assert.Matches(@"^\d\.\d{3} at 50$", await page.InnerTextAsync(".chart.tall .u-legend .u-series:last-child .u-value"));
        ILocator validation = page.Locator(".chart.tall .u-legend th[role=button]").Last;
        await validation.PressAsync("Enter");
        Assert.Equal("false", await validation.GetAttributeAsync("aria-pressed"));
        Assert.Equal(0, await page.EvaluateAsync<int>(CountPixels, new[] { "run-loss", "--validation" }));
        ILocator scale = page.Locator(".chart.tall button", new PageLocatorOptions { HasTextString = "Log scale" });
        await scale.PressAsync("Enter");
        Assert.Equal("true", await scale.GetAttributeAsync("aria-pressed"));
        Assert.True(await page.EvaluateAsync<int>(CountPixels, new[] { "run-loss", "--validation" }) > 20);
        Assert.Empty(complaints);
    }

    [ChromiumFact]
    public async Task FitsAPhoneInTheDark()
    {
        run.Add("pipeline.json", """{"stages":[{"folder":"1-a","title":"First","seconds":1,"command":"gradus pretrain --a-very-long-option=with-a-very-long-value-that-has-no-space-in-it-at-all"},{"folder":"2-b","title":"Second"}],"next":["gradus chat x"]}""")
            .AddLog(1, 1, "1-a").AddEvaluations("1-a").AddLog(100, 10, "2-b");
        IPage light = await OpenAsync(), page = await OpenAsync(width: 390, ColorScheme.Dark);
        const string Background = "getComputedStyle(document.body).backgroundColor";
        Assert.NotEqual(await light.EvaluateAsync<string>(Background), await page.EvaluateAsync<string>(Background));
        Assert.Equal(390, await page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.Equal(8, await page.Locator(".plot canvas").CountAsync());
        Assert.True(await page.EvaluateAsync<int>(CountPixels, new[] { "stage-1-loss", "--train" }) > 5, "a run of one step shows no point");
        Assert.Empty(complaints);
    }

    [ChromiumFact]
    public async Task BrokenRunsOpenWithoutAnError()
    {
        run.Add("log.jsonl", """
            {"kind":"step","step":1,"loss":"NaN","gradient_norm":NaN,"learning_rate":0,"tokens_per_second":0}
            {"kind":"step","step":2,"loss":Infinity,"gradient_norm":"Infinity"}
            {"kind":"evaluation","step":9000000000000000,"loss":1e300}
            {"kind":"st
            """)
            .Add("samples/1.json", """{"samples":[{"prompt":"</script><script>document.title='taken'</script>","completion":"<img src=x onerror=\"document.title='taken'\">"}]}""");
        IPage page = await OpenAsync();
        Assert.DoesNotContain("taken", await page.TitleAsync());
        Assert.Equal(0, await page.Locator("main img").CountAsync());
        Assert.Contains("not a finite number", await page.InnerTextAsync("main"));
        Assert.Empty(complaints);
    }

    /// <summary>Opens the page; console errors, uncaught errors and requests for anything else go to the complaints.</summary>
    private async Task<IPage> OpenAsync(int width = 1280, ColorScheme scheme = ColorScheme.Light)
    {
        RunReport.Write(run.Folder);
        IPage page = await browser!.NewPageAsync(new BrowserNewPageOptions { ViewportSize = new ViewportSize { Width = width, Height = 900 }, ColorScheme = scheme });
        page.Console += (_, message) =>
        {
            if (message.Type == "error")
                complaints.Add($"console: {message.Text}");
        };
        page.PageError += (_, error) => complaints.Add($"error: {error}");
        page.Request += (_, request) =>
        {
            if (request.Url != run.PageUrl && !request.Url.StartsWith("data:", StringComparison.Ordinal))
                complaints.Add($"request: {request.Url}");
        };
        await page.GotoAsync(run.PageUrl);
        await page.WaitForFunctionAsync("[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('canvas'))");
        return page;
    }

    private static async Task<string[]> CellsAsync(IPage page, string selector) =>
        [.. (await page.Locator(selector).AllInnerTextsAsync()).Select(text => Regex.Replace(text, @"\s+", " ").Trim())];
}
